"""What a record is told that a state does not take."""

from __future__ import annotations

import pytest

from shared.vault.model.component_model import EntryCriterion
from shared.vault.records.state_criteria import failure_message
from tests.unit.records.shapes import THING

NOTE = EntryCriterion("note__c", "note__c != null", "", 1, "note__c")
COUNT = EntryCriterion("count__c", "count__c != null", "", 2, "count__c")
AGAIN = EntryCriterion("again__c", "note__c != null", "", 3, "note__c", "count__c > 1")
SAID = EntryCriterion("said__c", "open__c != null", "Say whether", 4, "open__c")
SMALL = EntryCriterion("small__c", "count__c < 9", "It is too large", 5)
FAR = EntryCriterion(
    "far__c", "account__cr.key__c != null", "", 6, "account__cr.key__c"
)


@pytest.mark.parametrize(
    ("failed", "message"),
    [
        ([NOTE], "These fields need a value: {note}"),
        ([NOTE, COUNT], "These fields need a value: {note}, {count}"),
        ([NOTE, AGAIN], "These fields need a value: {note}"),
        ([SMALL], "It is too large"),
        ([SAID, COUNT], "These fields need a value: {count}; Say whether"),
        ([SMALL, SAID], "It is too large; Say whether"),
        ([FAR], "These fields need a value: [account__cr.key__c]"),
    ],
)
def test_a_refusal_names_all_that_is_missing(
    failed: list[EntryCriterion], message: str
) -> None:
    note, count = (f"{THING.fields[n].label} [{n}]" for n in ("note__c", "count__c"))
    assert failure_message(THING, failed) == message.format(note=note, count=count)
