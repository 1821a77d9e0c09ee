"""Inquiries that fail, are edited and are sent again while a message of theirs is transferred: no edit is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.connector.points.transfer_status import (
    REASON,
    STATUS,
    TransferStatus,
    fail_all,
)
from tests.unit.connector.example_records import (
    INQUIRIES,
    INQUIRY,
    REQUEST,
    account,
    inquiry,
    status,
)
from tests.unit.connector.memory_vault import MemoryVault
from tests.unit.connector.standard_vaults import Pair, pair

TEXT = "inquiry_text__v"
PENDING, SUCCESS, FAILED = TransferStatus
# What happens to the inquiry before a call of the transfer.
ANOTHER_FAILS, REP_EDITS, REP_SENDS = "fails", "edits", "sends"
STEPS = (ANOTHER_FAILS, REP_EDITS, REP_SENDS)
CALLS = [
    ("crm", f"query {INQUIRY}"),
    ("medical", f"upsert {REQUEST}"),
    ("crm", f"update {INQUIRY}"),
]


class Story:
    """An inquiry with what other messages and its rep do, as Vault CRM permits it."""

    def __init__(self, first: str | None) -> None:
        self.vaults: Pair = pair()
        of = account(self.vaults.crm)
        self.item = inquiry(self.vaults.crm, of, **{STATUS: first})
        self.edits = 0

    def do(self, step: str) -> None:
        """Take a step, if the inquiry's status permits it."""
        now = status(self.vaults.crm, self.item)
        if step == ANOTHER_FAILS and now != SUCCESS:
            self._change(**{STATUS: FAILED.value, REASON: "away"})
        elif step == REP_EDITS and now not in (PENDING, SUCCESS):
            self.edits += 1
            self._change(**{TEXT: f"How often, question {self.edits}?"})
        elif step == REP_SENDS and now != SUCCESS:
            self._change(**{STATUS: PENDING.value})

    def at(self, vault: str, call: str, number: int, *steps: str) -> None:
        """Take steps before the call of this name with this number, counted from 1."""
        end: MemoryVault = getattr(self.vaults, vault)
        counted: Counter[str] = Counter()

        async def hook() -> None:
            counted[call] += 1
            if counted[call] == number:
                for step in steps:
                    self.do(step)
            else:
                end.before(call, hook)

        end.before(call, hook)

    async def transfer(self) -> None:
        """Transfer the inquiry, and mark it when it has failed."""
        of = self.vaults
        await of.transfer(of.medical, INQUIRIES, INQUIRY, self.item, lineage=True)

    def assert_nothing_lost(self) -> None:
        """Check that an inquiry with Success has arrived as it is."""
        if status(self.vaults.crm, self.item) != SUCCESS:
            return
        asked = self.vaults.crm.get(INQUIRY, self.item)[TEXT]
        arrived = self.vaults.medical.rows(REQUEST, "question__v")
        assert [row["question__v"] for row in arrived] == [asked]

    def _change(self, **values: object) -> None:
        self.vaults.crm.change(INQUIRY, self.item, **values)


INTERRUPTIONS = st.lists(
    st.tuples(
        st.sampled_from(CALLS),
        st.integers(1, 4),
        st.lists(st.sampled_from(STEPS), min_size=1, max_size=4),
    ),
    max_size=3,
    unique_by=lambda each: each[0],
)


@given(st.sampled_from([PENDING, FAILED, None]), INTERRUPTIONS)
@settings(max_examples=150, deadline=None)
async def test_success_locks_only_what_has_arrived(
    first: str | None, interruptions: list[tuple[tuple[str, str], int, list[str]]]
) -> None:
    story = Story(first)
    for (vault, call), number, steps in interruptions:
        story.at(vault, call, number, *steps)
    await story.transfer()
    story.assert_nothing_lost()
    # Its rep sends it once more; now nobody interrupts.
    story.do(REP_SENDS)
    await story.transfer()
    assert status(story.vaults.crm, story.item) == SUCCESS
    story.assert_nothing_lost()


@pytest.mark.parametrize("first", [PENDING, FAILED])
@pytest.mark.parametrize(
    "steps",
    [
        (ANOTHER_FAILS, REP_EDITS),
        (ANOTHER_FAILS, REP_EDITS, REP_SENDS),
        (REP_SENDS, ANOTHER_FAILS, REP_EDITS, REP_SENDS),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
async def test_an_edit_before_success_is_transferred_too(
    first: TransferStatus, steps: tuple[str, ...], number: int
) -> None:
    story = Story(first)
    story.at("crm", f"update {INQUIRY}", number, *steps)
    await story.transfer()
    assert status(story.vaults.crm, story.item) == SUCCESS
    story.assert_nothing_lost()


async def test_a_failure_that_comes_late_does_not_unlock_what_has_arrived() -> None:
    story = Story(PENDING)
    crm = story.vaults.crm
    unit = await story.vaults.unit(
        story.vaults.medical, INQUIRIES, INQUIRY, story.item, lineage=True
    )

    async def another_arrives() -> None:
        crm.change(INQUIRY, story.item, **{STATUS: SUCCESS.value})

    crm.before(f"update {INQUIRY}", another_arrives)
    reasons = {story.item: "away"}
    refused = await fail_all(crm, reasons, unit.lineage_back)
    assert set(refused) == {story.item}
    # It is tried again as long as the Vault refuses it.
    assert await fail_all(crm, reasons, unit.lineage_back) == {}
    assert status(crm, story.item) == SUCCESS
