"""Applies a folder's configuration to a Vault, in dependency order, up to the first refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from medcrm.configuration import RECORD_SETS, Configuration, ConfigurationFault
from medcrm.difference import Difference, Kind, RecordDifference
from shared.client import VaultClient
from shared.client.errors import ClientError
from shared.client.results import RowResult
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl_writing import render
from shared.vault.components.ordering import in_order

# Components that others refer to come first; this order holds where nothing in the text of the others says so.
TYPE_ORDER = (
    "Picklist",
    "Objectlifecycle",
    "Object",
    "Objecttype",
    "Queue",
    "Integrationrule",
)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Statement:
    """One MDL statement to send; ``title`` names it to the person at the console."""

    title: str
    text: str


def statements(
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
) -> list[Statement]:
    """Return the MDL of a difference: first what is new or changed, then what is to be dropped, each in its order."""
    texts = [
        wanted.components[component.name]
        for component in difference.components
        if component.kind is not Kind.REMOVED
    ]
    trees = [text.tree for text in texts if text.tree is not None]
    trees.sort(key=_rank)
    there = [_key(name) for name in present.components]
    # Without an order of its own a text of an unknown type comes last: it may refer to all that is known.
    unknown = [text for text in texts if text.tree is None]
    recreated = [
        Statement(f"RECREATE {tree.full_name}", render(tree))
        for tree in in_order(trees, there)
    ]
    added = [Statement(f"RECREATE {text.name}", text.text) for text in unknown]
    # Last, so that what referred to a component has been changed when it is dropped.
    dropped = [_drop(name) for name in _drops(difference, present)]
    return [*recreated, *added, *dropped]


def _drop(name: str) -> Statement:
    type_and_name = name.replace(".", " ", 1)
    return Statement(f"DROP {name}", f"DROP {type_and_name};")


async def apply(
    client: VaultClient,
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
    report: Report,
) -> None:
    """Carry the difference out, and call ``report`` with each step that is done.

    :raises ConfigurationFault: at the first step that the Vault refuses; those before it stay.
    """
    for statement in statements(difference, wanted, present):
        try:
            await client.execute_mdl(statement.text)
        except ClientError as error:
            raise ConfigurationFault(f"{statement.title}: {error}") from error
        report(statement.title)
    for record_set in RECORD_SETS:
        rows = [
            record
            for record in difference.records
            if record.object == record_set.object and record.values is not None
        ]
        await _save(client, record_set.object, record_set.key, rows, report)
    # In reverse, since a record cannot be deleted while others refer to it.
    for record_set in reversed(RECORD_SETS):
        removed = [
            record
            for record in difference.records
            if record.object == record_set.object and record.kind is Kind.REMOVED
        ]
        await _delete(client, present, record_set.object, removed, report)


async def _save(
    client: VaultClient,
    object_name: str,
    key: str,
    rows: Sequence[RecordDifference],
    report: Report,
) -> None:
    if not rows:
        return
    values = [dict(row.values or {}) for row in rows]
    try:
        results = await client.upsert(object_name, values, key)
    except ClientError as error:
        raise ConfigurationFault(f"{object_name}: {error}") from error
    _report_rows(object_name, rows, results, report)


async def _delete(
    client: VaultClient,
    present: Configuration,
    object_name: str,
    rows: Sequence[RecordDifference],
    report: Report,
) -> None:
    if not rows:
        return
    known = present.tables[object_name].ids
    ids = [known[row.key] for row in rows]
    try:
        results = await client.delete(object_name, ids)
    except ClientError as error:
        raise ConfigurationFault(f"{object_name}: {error}") from error
    _report_rows(object_name, rows, results, report)


def _report_rows(
    object_name: str,
    rows: Sequence[RecordDifference],
    results: Sequence[RowResult],
    report: Report,
) -> None:
    """Report each row that is done.

    :raises ConfigurationFault: the Vault refused a row.
    """
    for row, result in zip(rows, results, strict=True):
        if not result.ok:
            error = result.errors[0]
            raise ConfigurationFault(
                f"{object_name} {row.key}: {error.type}: {error.message}"
            )
        report(f"{row.kind} {object_name} {row.key}")


def _drops(difference: Difference, present: Configuration) -> Iterator[str]:
    """Yield the names of components to drop, each before those that it refers to."""
    trees: list[Component] = []
    for component in difference.components:
        if component.kind is not Kind.REMOVED:
            continue
        tree = present.components[component.name].tree
        if tree is None:
            yield component.name
        else:
            trees.append(tree)
    trees.sort(key=_rank)
    # A component of a circle comes twice; it is dropped once.
    names = dict.fromkeys(tree.full_name for tree in in_order(trees))
    yield from reversed(names)


def _rank(tree: Component) -> tuple[int, str, str]:
    """Return the place of a component among those that do not refer to each other."""
    is_known = tree.type in TYPE_ORDER
    rank = TYPE_ORDER.index(tree.type) if is_known else len(TYPE_ORDER)
    return rank, tree.type, tree.name


def _key(full_name: str) -> tuple[str, str]:
    type_name, _, name = full_name.partition(".")
    return type_name, name
