"""Lists the tables whose rows depend on changed components; they are locked against writes during the change."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, assert_never

from shared.vault.components.component_kinds import ComponentKind, kind_of
from shared.vault.components.document_model import VERSIONS
from shared.vault.components.schema import table

if TYPE_CHECKING:
    from shared.vault.components.evolution import Step
    from shared.vault.components.registry import Key, Registry
    from shared.vault.model.component_model import VaultObject

OUTBOX = "platform.outbox"
USERS = "user__sys"


def concerned_tables(step: Step) -> list[str]:
    """Return the SQL names of the tables whose rows depend on the components of a step.

    They are sorted, so that all changes lock tables in the same order.
    """
    names: set[str] = set()
    for key in step.changes:
        names.update(_tables(step, key))
    return sorted(names)


def _tables(step: Step, key: Key) -> Collection[str]:
    """Return the tables that exist before the step and whose rows depend on one component."""
    kind, name = kind_of(key[0]), key[1]
    found: Collection[str]
    match kind:
        case ComponentKind.OBJECT:
            found = _of_object(step.before, name)
        case ComponentKind.OBJECT_TYPE:
            found = _of_object(step.before, name.partition(".")[0])
        case ComponentKind.SECURITY_PROFILE:
            found = _of_object(step.before, USERS)
        case ComponentKind.PICKLIST:
            found = (
                _with_picklist(step.before, name) if _loses_entries(step, name) else ()
            )
        case ComponentKind.LIFECYCLE:
            found = _in_lifecycle(step.before, name)
        case ComponentKind.QUEUE:
            found = () if key in step.after.components else (OUTBOX,)
        case (
            ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_TYPE
            | ComponentKind.DOCUMENT_LIFECYCLE
        ):
            found = _of_documents(step.before)
        case (
            ComponentKind.OBJECT_ACTION
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.INTEGRATION_RULE
            | ComponentKind.PERMISSION_SET
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
            | None
        ):
            found = ()  # no rows depend on them
        case _:
            assert_never(kind)
    return found


def _of_object(registry: Registry, name: str) -> Collection[str]:
    return (table(name),) if name in registry.objects else ()


def _of_documents(registry: Registry) -> Collection[str]:
    return () if registry.documents.versions is None else (table(VERSIONS),)


def _in_lifecycle(registry: Registry, name: str) -> Collection[str]:
    owners = registry.objects.values()
    return [table(owner.name) for owner in owners if owner.lifecycle == name]


def _loses_entries(step: Step, name: str) -> bool:
    """Return whether a step removes or renames values that rows may contain."""
    before = step.before.picklists.get(name)
    after = step.after.picklists.get(name)
    if before is None:
        return False
    return after is None or not before.entries.keys() <= after.entries.keys()


def _with_picklist(registry: Registry, name: str) -> Collection[str]:
    versions = registry.documents.versions
    documents = [] if versions is None else [versions]
    owners = [*registry.objects.values(), *documents]
    return [table(owner.name) for owner in owners if _has_picklist(owner, name)]


def _has_picklist(owner: VaultObject, name: str) -> bool:
    return any(field.picklist == name for field in owner.fields.values())
