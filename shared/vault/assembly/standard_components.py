"""Standard components given to a Vault: new ones, and new versions merged with what was changed in the Vault."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.components.mdl import parse, render
from shared.vault.components.merging import MergeConflict, merge
from shared.vault.components.ordering import in_order
from shared.vault.components.statement import Command, Statement
from shared.vault.configuration.standard_items import Note

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Key, Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.configuration.standard_items import Giving

UNTOUCHED = "SELECT type, name FROM platform.component WHERE modified_by = $1"


async def give_components(
    giving: Giving, components: ComponentService, shipped: Registry
) -> None:
    """Carry out what is new in ``shipped``; withhold a component where both sides have changed the same thing."""
    news = await _news(giving, components.registry, shipped)
    present = components.registry.components
    refusals = await _carry_out(
        components, [c for key, c in news.items() if c != present.get(key)]
    )
    given: dict[str, dict[str, str]] = defaultdict(dict)
    for kind, name in news:
        text = render(shipped.components[kind, name])
        if (kind, name) in refusals:
            await giving.withhold(kind, name, text, refusals[kind, name])
        else:
            given[kind][name] = text
    for kind, items in given.items():
        await giving.give(kind, items)


async def _news(
    giving: Giving, registry: Registry, shipped: Registry
) -> dict[Key, Component]:
    """What each component that differs from the version given last should become."""
    untouched = {
        (row["type"], row["name"])
        for row in await giving.fetch(UNTOUCHED, SYSTEM.user_id)
    }
    notes = {
        kind: await giving.notes(kind)
        for kind in {kind for kind, _ in shipped.components}
    }
    news: dict[Key, Component] = {}
    for key, following in shipped.components.items():
        given, withheld = (_parsed(text) for text in notes[key[0]].get(key[1], Note()))
        current = registry.components.get(key)
        if given is not None and given == following:
            continue
        # Somebody may have taken up what was withheld; versions before this one made no notes of what they gave.
        taken_up = current is not None and (
            current == withheld or (given is None and key in untouched)
        )
        try:
            if (
                merged := merge(current if taken_up else given, current, following)
            ) is not None:
                news[key] = merged
        except MergeConflict as conflict:
            await giving.withhold(
                *key,
                render(following),
                f"{conflict} was changed in this Vault, and differently",
            )
    return news


def _parsed(text: str | None) -> Component | None:
    return None if text is None else parse(text)[0].component


async def _carry_out(
    components: ComponentService, waiting: list[Component]
) -> dict[Key, str]:
    """Execute them, each after what it refers to; the reasons of those that are refused."""
    refusals: dict[Key, str] = {}
    for number, component in enumerate(
        in_order(waiting, components.registry.components), 1
    ):
        statement = Statement(
            Command.RECREATE, *component.key, line=1, component=component
        )
        result = await components.execute_statement(SYSTEM, number, statement)
        refusals.pop(component.key, None)
        if not result.ok:
            refusals[component.key] = result.message
    return refusals
