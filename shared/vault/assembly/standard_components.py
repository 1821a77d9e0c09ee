"""Loads standard components: new ones, and new versions merged with the changes made in the Vault."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.merging import MergeConflict, merge
from shared.vault.components.ordering import in_order
from shared.vault.components.statement import Command, Statement
from shared.vault.configuration.standard_items import Note

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Key, Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.configuration.standard_items import StandardPass

UNTOUCHED = "SELECT type, name FROM platform.component WHERE modified_by = $1"


async def load_components(
    standard_pass: StandardPass,
    components: ComponentService,
    shipped: Registry,
) -> None:
    """Create or update the components of ``shipped`` that are new or changed.

    A component whose change conflicts with a change in this Vault is withheld.

    :raises StandardLoadFailed: when a new Vault refuses a component.
    """
    changed = await _changed_components(standard_pass, components.registry, shipped)
    present = components.registry.components
    different = [each for key, each in changed.items() if each != present.get(key)]
    refusals = await _execute(components, different)
    loaded: dict[str, dict[str, str]] = defaultdict(dict)
    for kind, name in changed:
        text = render(shipped.components[kind, name])
        if (kind, name) in refusals:
            await standard_pass.withhold(kind, name, text, refusals[kind, name])
        else:
            loaded[kind][name] = text
    for kind, items in loaded.items():
        await standard_pass.record_installed(kind, items)


async def _changed_components(
    standard_pass: StandardPass,
    registry: Registry,
    shipped: Registry,
) -> dict[Key, Component]:
    """Return the components of ``shipped`` that are new or changed, merged with the changes made in this Vault."""
    rows = await standard_pass.fetch(UNTOUCHED, SYSTEM.user_id)
    untouched = {(row["type"], row["name"]) for row in rows}
    kinds = {kind for kind, _ in shipped.components}
    notes = {kind: await standard_pass.notes(kind) for kind in kinds}
    changed: dict[Key, Component] = {}
    for key, following in shipped.components.items():
        kind, name = key
        note = notes[kind].get(name, Note())
        last, withheld = _parsed(note.installed), _parsed(note.withheld)
        if last is not None and last == following:
            continue
        current = registry.components.get(key)
        # An administrator may have applied the version that was withheld.
        adopted = current is not None and current == withheld
        # Early versions stored no notes of what they loaded.
        early = current is not None and last is None and key in untouched
        base = current if adopted or early else last
        try:
            merged = merge(base, current, following)
        except MergeConflict as conflict:
            reason = f"{conflict} was changed in this Vault in another way"
            await standard_pass.withhold(kind, name, render(following), reason)
            continue
        if merged is not None:
            changed[key] = merged
    return changed


def _parsed(text: str | None) -> Component | None:
    if text is None:
        return None
    statements = parse(text)
    return statements[0].component


async def _execute(
    components: ComponentService,
    waiting: list[Component],
) -> dict[Key, str]:
    """Create or update components, referenced ones first; return the reason of each refusal by type and name."""
    refusals: dict[Key, str] = {}
    ordered = in_order(waiting, components.registry.components)
    for number, component in enumerate(ordered, 1):
        statement = Statement(
            Command.RECREATE,
            *component.key,
            line=1,
            component=component,
        )
        result = await components.execute_statement(SYSTEM, number, statement)
        # A component of a circle of references is executed twice, and may succeed the second time.
        refusals.pop(component.key, None)
        if not result.ok:
            refusals[component.key] = result.message
    return refusals
