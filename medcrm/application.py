"""A folder's configuration carried out in a Vault: in an order that works, stopped by the first thing refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from medcrm.configuration import RECORD_SETS, Configuration, ConfigurationFault
from medcrm.difference import Difference, Kind, RecordDifference
from shared.client import VaultClient
from shared.client.errors import ClientError
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import render
from shared.vault.components.ordering import in_order

# Those that others refer to before those that refer, where nothing in their text says so.
TYPE_ORDER = (
    "Picklist",
    "Objectlifecycle",
    "Object",
    "Objecttype",
    "Queue",
    "Integrationrule",
)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Statement:
    """One MDL statement to send, and how it is called when it is told of."""

    title: str
    text: str


def statements(
    difference: Difference, wanted: Configuration, present: Configuration
) -> list[Statement]:
    """The MDL that the difference comes to: what is new or changed, then what is to go, each in its order."""
    texts = [
        wanted.components[d.name]
        for d in difference.components
        if d.kind is not Kind.REMOVED
    ]
    trees = sorted((text.tree for text in texts if text.tree), key=_rank)
    there = [tuple(name.partition(".")[::2]) for name in present.components]
    found = [
        Statement(f"RECREATE {tree.full_name}", render(tree))
        for tree in in_order(trees, [(t, n) for t, n in there])
    ]
    found += [
        Statement(f"RECREATE {text.name}", text.text)
        for text in texts
        if text.tree is None
    ]
    return found + [
        Statement(f"DROP {name}", f"DROP {name.replace('.', ' ', 1)};")
        for name in _drops(difference, present)
    ]


async def apply(
    client: VaultClient,
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
    tell: Tell,
) -> None:
    """Carry the difference out; ``tell`` hears of each step that is done.

    :raises ConfigurationFault: at the first step that the Vault refuses; those before it stay.
    """
    for statement in statements(difference, wanted, present):
        try:
            await client.execute_mdl(statement.text)
        except ClientError as error:
            raise ConfigurationFault(f"{statement.title}: {error}") from error
        tell(statement.title)
    for record_set in RECORD_SETS:
        rows = [
            r
            for r in difference.records
            if r.object == record_set.object and r.values is not None
        ]
        await _save(client, record_set.object, record_set.key, rows, tell)
    for record_set in reversed(RECORD_SETS):
        gone = [
            r
            for r in difference.records
            if r.object == record_set.object and r.kind is Kind.REMOVED
        ]
        await _delete(client, present, record_set.object, gone, tell)


async def _save(
    client: VaultClient,
    object_name: str,
    key: str,
    rows: Sequence[RecordDifference],
    tell: Tell,
) -> None:
    if not rows:
        return
    try:
        results = await client.upsert(
            object_name, [dict(row.values or {}) for row in rows], key
        )
    except ClientError as error:
        raise ConfigurationFault(f"{object_name}: {error}") from error
    for row, result in zip(rows, results, strict=True):
        if not result.ok:
            raise ConfigurationFault(
                f"{object_name} {row.key}: {result.errors[0].type}: {result.errors[0].message}"
            )
        tell(f"{row.kind} {object_name} {row.key}")


async def _delete(
    client: VaultClient,
    present: Configuration,
    object_name: str,
    rows: Sequence[RecordDifference],
    tell: Tell,
) -> None:
    if not rows:
        return
    ids = present.tables[object_name].ids
    try:
        results = await client.delete(object_name, [ids[row.key] for row in rows])
    except ClientError as error:
        raise ConfigurationFault(f"{object_name}: {error}") from error
    for row, result in zip(rows, results, strict=True):
        if not result.ok:
            raise ConfigurationFault(
                f"{object_name} {row.key}: {result.errors[0].type}: {result.errors[0].message}"
            )
        tell(f"{row.kind} {object_name} {row.key}")


def _drops(difference: Difference, present: Configuration) -> Iterator[str]:
    """Names of components to drop, each before those that it refers to."""
    names = [d.name for d in difference.components if d.kind is Kind.REMOVED]
    trees = {name: present.components[name].tree for name in names}
    yield from (name for name, tree in trees.items() if tree is None)
    ordered = in_order(sorted((tree for tree in trees.values() if tree), key=_rank))
    yield from reversed(dict.fromkeys(tree.full_name for tree in ordered))


def _rank(tree: Component) -> tuple[int, str, str]:
    known = TYPE_ORDER.index(tree.type) if tree.type in TYPE_ORDER else len(TYPE_ORDER)
    return known, tree.type, tree.name
