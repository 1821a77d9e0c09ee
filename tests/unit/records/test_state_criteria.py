"""The message for a record that fails the entry criteria of a state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.vault.model.component_model import EntryCriterion, ValueFormat
from shared.vault.records.state_criteria import failure_message, has_format
from tests.unit.records.shapes import THING

NOTE = EntryCriterion("note__c", "note__c != null", "", 1, "note__c")
COUNT = EntryCriterion("count__c", "count__c != null", "", 2, "count__c")
AGAIN = EntryCriterion("again__c", "note__c != null", "", 3, "note__c", "count__c > 1")
SAID = EntryCriterion("said__c", "open__c != null", "Say whether", 4, "open__c")
SMALL = EntryCriterion("small__c", "count__c < 9", "It is too large", 5)
FAR = EntryCriterion(
    "far__c", "account__cr.key__c != null", "", 6, "account__cr.key__c"
)

MAIL = EntryCriterion(
    "note__c", "note__c != null", "", 1, "note__c", None, ValueFormat.EMAIL
)
FAX = replace(MAIL, value_format=ValueFormat.PHONE)
OWN = replace(MAIL, message="Where to?")


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


@pytest.mark.parametrize(
    ("failed", "malformed", "message"),
    [
        ([], [MAIL], "{note} must be exactly one e-mail address"),
        ([], [FAX], "{note} must be a telephone number"),
        ([], [OWN], "Where to?"),
        ([SMALL], [MAIL], "It is too large; {note} must be exactly one e-mail address"),
    ],
)
def test_a_refusal_names_what_is_not_formed_as_it_has_to_be(
    failed: list[EntryCriterion], malformed: list[EntryCriterion], message: str
) -> None:
    note = f"{THING.fields['note__c'].label} [note__c]"
    assert failure_message(THING, failed, malformed) == message.format(note=note)


FORMED = {
    ValueFormat.EMAIL: (
        *("ann@hcp.example", "a.b+c@sub.hcp.example", "ann@clinic.local"),
        "änne@klinik.example",
    ),
    ValueFormat.PHONE: (
        *("+1 555 0199", "(555) 010-0199", "555.0199 ext. 12", "0049/89/1234567"),
        *("555 0199 x12", "55501", "+49\u00a089\u00a012345", "٠١٢٣٤٥٦"),
    ),
}
MALFORMED = {
    ValueFormat.EMAIL: (
        *("ann", "ann@", "@hcp.example", "ann hcp.example", "ann@hcp.example, x@y.z"),
        *("ann@hcp.example;x@y.z", "Ann <ann@hcp.example>", "ann@hcp.example\nBcc: x"),
        *("mailto:ann@hcp.example", " ann@hcp.example", "ann@hcp..example"),
    ),
    ValueFormat.PHONE: (
        *("none", "n/a", "+", "1234", "call me at 555 0199", "ann@hcp.example"),
        "555 0199; DROP TABLE",
    ),
}


@pytest.mark.parametrize(
    ("value_format", "value", "fits"),
    [(kind, value, True) for kind in FORMED for value in FORMED[kind]]
    + [(kind, value, False) for kind in MALFORMED for value in MALFORMED[kind]],
)
def test_what_a_value_has_to_be(
    value_format: ValueFormat, value: str, fits: bool
) -> None:
    assert has_format(value_format, value) is fits
