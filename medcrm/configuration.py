"""Defines the configuration of a Vault as names and texts: components as MDL, records that configure as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.vault.components.component_errors import MdlSyntaxError
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.statement import Command
from shared.vault.components.types import COMPONENT_TYPES


class ConfigurationFault(Exception):
    """Raised for a folder or Vault whose configuration cannot be used; the text is for the person at the console."""


@dataclass(frozen=True, slots=True)
class ComponentText:
    """One component; ``tree`` is None for a type whose language is unknown here, of which only the text is used."""

    name: str  # Type.name
    text: str
    tree: Component | None


@dataclass(frozen=True, slots=True)
class RecordSet:
    """An object whose records configure a Vault.

    ``key`` names a record in every Vault; ``left_out`` are fields that belong to one Vault or to its operation.
    """

    object: str
    key: str
    left_out: frozenset[str] = frozenset()


# Each after those that its records refer to.
RECORD_SETS = (
    # Vault ids and users differ from Vault to Vault, so that a folder must not carry them over.
    RecordSet(
        "connection__sys",
        "api_name__sys",
        frozenset({"remote_vault_id__sys", "authorized_connection_user__sys"}),
    ),
    # A run's time belongs to the running of one Vault, and would have another Vault miss changes.
    RecordSet(
        "integration__sys",
        "integration_api_name__sys",
        frozenset({"last_successful_run_time__sys"}),
    ),
    RecordSet("integration_point__sys", "integration_point_api_name__sys"),
    RecordSet("reference_lookup__sys", "lookup_key__sys"),
)

KEYS = {record_set.object: record_set.key for record_set in RECORD_SETS}


@dataclass(frozen=True, slots=True)
class Table:
    """The records of one object by their key.

    ``ids`` are those of a Vault's records, and are not written to folders.
    """

    key: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The compared configuration: components by ``Type.name``, tables by object."""

    components: Mapping[str, ComponentText] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)


def read_component(name: str, text: str) -> ComponentText:
    """Read the MDL text of the component ``Type.name``.

    :raises ConfigurationFault: when the text is not one RECREATE or CREATE statement of it.
    """
    try:
        statements = parse(text)
    except MdlSyntaxError as error:
        type_name, _, _ = name.partition(".")
        if type_name in COMPONENT_TYPES:
            raise ConfigurationFault(f"{name}: {error}") from error
        # The Vault may be newer than this console and have types whose language is not known here.
        return ComponentText(name, text, None)
    commands = [statement.command for statement in statements]
    if commands not in ([Command.CREATE], [Command.RECREATE]):
        raise ConfigurationFault(f"{name}: the text is not one RECREATE statement")
    tree = statements[0].component
    if tree is None or tree.full_name != name:
        raise ConfigurationFault(f"{name}: the text is of another component")
    return ComponentText(name, render(tree), tree)
