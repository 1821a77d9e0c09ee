"""Comparisons of both Vaults: every planted difference is found, and no other, also during transfers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.connector.points import points
from services.connector.reconciliation import slice_reading
from services.connector.reconciliation.planned_readings import Compared
from services.connector.reconciliation.sender_traffic import SenderTraffic
from services.connector.reconciliation.slice_work import SliceComparison
from services.connector.vaults.configuration import Configuration
from shared.protocol.reconciliation_verdicts import Verdict
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRIES,
    INQUIRY,
    PERSON,
    REQUEST,
    SOURCE_DATA,
    account,
    accounts,
    inquiries,
    inquiry,
)
from tests.unit.connector.standard_vaults import CONNECTION, CRM_ID, Pair, country, pair

LOST, CHANGED, GONE, FORBIDDEN, UNMADE, MARKED = (
    "Source Data is lost",
    "a contact is changed",
    "an account is gone",
    "an account may no longer be pulled",
    "a Case Request is lost",
    "a Transfer Status is changed",
)
ALTERED = "a field of a Case Request is changed"
DAMAGES = (LOST, CHANGED, GONE, FORBIDDEN, UNMADE, MARKED, ALTERED)
VALUES = {
    CHANGED: (PERSON, f"{PERSON}.last_name__sys", "last_name__sys"),
    ALTERED: (REQUEST, f"{REQUEST}.question__v", "question__v"),
}
INTEGRATION = "medical_inquiry_details__v"
Lines = set[str]


class Comparing:
    """A comparison of two Vaults in memory, in slices of three records; of the Medical Vault, or with ``back`` of CRM.

    Without ``integration`` all of them are compared.
    """

    def __init__(
        self,
        vaults: Pair,
        integration: str | None = INTEGRATION,
        *,
        back: bool = False,
        window: int = 0,
        traffic: SenderTraffic | None = None,
    ) -> None:
        self.vaults = vaults
        self.integration = integration
        self.window = window
        self.traffic = traffic
        self.source, self.target = (
            (vaults.medical, vaults.crm) if back else (vaults.crm, vaults.medical)
        )
        self.configuration: Configuration | None = None
        self.equal = 0
        self.lines: dict[tuple[str, str], list[str]] = {}

    async def all_slices(self) -> None:
        self.state: dict[str, Any] = {
            "source_time": (await self.source.clock()).date_time,
            "window_minutes": self.window,
            "position": "",
        }
        while True:
            report: dict[str, Any] = await (await self._slice()).compare_next()
            if report.get("ended"):
                return
            self.equal += report["equal"]
            place = (report["integration_point"], report["object"])
            self.lines.setdefault(place, []).extend(report["items"])
            self.state["position"] = report["position"]

    async def looked_again(self) -> Lines:
        found: Lines = set()
        for (point, name), lines in self.lines.items():
            if not lines:
                continue
            items = [line.split(" ")[1] for line in lines]
            candidates = {"integration_point": point, "object": name, "items": items}
            self.state["candidates"] = candidates
            report: dict[str, Any] = await (await self._slice()).look_again()
            found |= set(report["items"])
        return {line for line in found if Verdict(line.split(" ")[0]).is_finding}

    async def _slice(self) -> SliceComparison:
        if self.configuration is None:
            self.configuration = await self.vaults.configuration(self.target)
        scope = Compared(
            self.configuration, self.source, self.target, CONNECTION, self.integration
        )
        return SliceComparison(scope, self.source, self.state, self.traffic)


async def compared(
    vaults: Pair,
    integration: str | None = INTEGRATION,
    *,
    back: bool = False,
    window: int = 0,
    traffic: SenderTraffic | None = None,
) -> Lines:
    comparing = Comparing(
        vaults, integration, back=back, window=window, traffic=traffic
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slice_reading, "MAX_ITEMS", 3)
        await comparing.all_slices()
        return await comparing.looked_again()


def by_link(vaults: Pair, object_name: str, item: str) -> Any:
    link = f"{CRM_ID}_{item}"
    (row,) = (
        row for row in vaults.medical.all_of(object_name) if row["link__sys"] == link
    )
    return row


def plant(vaults: Pair, damage: str, of: str, item: str) -> str:
    """Damage a record of an account or its inquiry, as no call would; return the line of the report about it."""
    if damage == LOST:
        lost = by_link(vaults, SOURCE_DATA, of)
        vaults.medical.remove(SOURCE_DATA, str(lost["id"]))
        return f"missing {of} {SOURCE_DATA}"
    if damage in VALUES:
        changed, name, field = VALUES[damage]
        record = of if changed == PERSON else item
        by_link(vaults, changed, record)[field] = "X"
        return f"different {record} {name}"
    if damage == GONE:
        vaults.crm.remove(ACCOUNT, of)
        return f"extra {of} {SOURCE_DATA} {PERSON}"
    if damage == FORBIDDEN:
        vaults.crm.get(ACCOUNT, of)["primary_country__v"] = country(vaults.crm, "CH")
        return f"not_allowed {of} {SOURCE_DATA} {PERSON}"
    if damage == UNMADE:
        request = by_link(vaults, REQUEST, item)
        vaults.medical.remove(REQUEST, str(request["id"]))
        return f"missing {item} {REQUEST}"
    assert damage == MARKED
    vaults.crm.get(INQUIRY, item)["transfer_status__v"] = "failed__v"
    return f"different {item} {INQUIRY}.transfer_status__v"


async def transferred(number: int) -> tuple[Pair, list[str], list[str]]:
    """Vaults with accounts and an inquiry of each, all of them transferred."""
    vaults = pair()
    of = [account(vaults.crm) for _ in range(number)]
    items = [inquiry(vaults.crm, each) for each in of]
    await inquiries(vaults, *items)
    await accounts(vaults, *of)
    # The clock of a Vault in memory goes on with its changes only: what was transferred is of the past now.
    vaults.crm.add("product__v", external_id__v="P-3", name__v="P-3")
    return vaults, of, items


async def test_what_was_transferred_is_equal() -> None:
    vaults, of, items = await transferred(4)
    comparing = Comparing(vaults)
    await comparing.all_slices()
    assert comparing.equal == len(of) + len(items)
    assert await comparing.looked_again() == set()


@pytest.mark.parametrize("damage", DAMAGES)
async def test_each_kind_is_found(damage: str) -> None:
    vaults, of, items = await transferred(4)
    planted = plant(vaults, damage, of[1], items[1])
    assert await compared(vaults) == {planted}


async def test_what_an_agent_has_changed_is_the_agents() -> None:
    vaults, _, items = await transferred(2)
    for item in items:
        plant(vaults, ALTERED, "", item)
    record = str(by_link(vaults, REQUEST, items[0])["id"])
    vaults.medical.edited.add((record, "question__v"))
    assert await compared(vaults) == {f"different {items[1]} {REQUEST}.question__v"}


async def test_a_transfer_again_mends_what_no_agent_has_changed() -> None:
    vaults, _, (item,) = await transferred(1)
    plant(vaults, ALTERED, "", item)
    stored = by_link(vaults, REQUEST, item)
    stored["email__v"] = "agent@example.com"
    vaults.medical.edited.add((str(stored["id"]), "email__v"))
    unit = await vaults.unit(vaults.medical, INQUIRIES, INQUIRY, item, lineage=True)
    await points.transfer(replace(unit, anew=True, origins=vaults.medical))
    mended = by_link(vaults, REQUEST, item)
    assert mended["question__v"] == "How often?"
    assert mended["email__v"] == "agent@example.com"
    assert await compared(vaults) == set()


@given(
    st.lists(st.sampled_from([None, *DAMAGES]), min_size=1, max_size=7),
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), max_size=5),
)
@settings(max_examples=10, deadline=None)
async def test_random_damage_is_found_under_traffic(
    damages: Sequence[str | None], traffic: Sequence[tuple[int, int]]
) -> None:
    vaults, of, items = await transferred(len(damages))
    planted = {
        plant(vaults, damage, of[number], items[number])
        for number, damage in enumerate(damages)
        if damage is not None
    }
    whole = [number for number, damage in enumerate(damages) if damage is None]

    async def change_and_transfer(number: int, state: int) -> None:
        vaults.crm.change(ACCOUNT, of[number], last_name_cda__v=f"Lee {state}")
        await accounts(vaults, of[number])

    async def only_change(number: int, state: int) -> None:
        vaults.crm.change(ACCOUNT, of[number], last_name_cda__v=f"Kim {state}")

    # Somewhere between the reads of the comparison: changes that arrive at once, and others that are on a queue.
    for place, (number, state) in enumerate(traffic):
        if whole:
            change = only_change if place % 2 else change_and_transfer
            busy = whole[number % len(whole)]
            name = (PERSON, SOURCE_DATA, CASE, REQUEST)[place % 4]
            hook = partial(change, busy, state)
            vaults.medical.before(f"query {name}", hook)
    assert await compared(vaults) == planted
