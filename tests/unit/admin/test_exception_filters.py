"""Selections of User Exceptions by address: conditions in VQL, and forms that return to the same list."""

from __future__ import annotations

import pytest

from shared.vault.admin.exception_filters import Age, ExceptionSelection

OPEN = "error_status__sys = 'open__sys'"
CAUSE = {"rule": "r__c", "field_rule": "f__c", "target_field": ""}


@pytest.mark.parametrize(
    ("wanted", "conditions"),
    [
        (ExceptionSelection(), [OPEN]),
        (ExceptionSelection(status="all"), []),
        (ExceptionSelection(status="it's\x00"), [r"error_status__sys = 'it\'s'"]),
        (ExceptionSelection(age=Age.TODAY), ["modified_date__v >= TODAY", OPEN]),
        (ExceptionSelection(age=Age.WEEK), ["modified_date__v >= DAYS_AGO:7", OPEN]),
        (
            ExceptionSelection(type="save_error__sys"),
            [OPEN, "error_type__sys = 'save_error__sys'"],
        ),
        (
            ExceptionSelection(status="all").with_cause("save_error__sys", CAUSE),
            [
                "error_type__sys = 'save_error__sys'",
                "integration_rule__sys = 'r__c'",
                "field_rule__sys = 'f__c'",
                "target_field__sys = null",
            ],
        ),
    ],
)
def test_conditions(wanted: ExceptionSelection, conditions: list[str]) -> None:
    assert wanted.item_conditions() == conditions


@pytest.mark.parametrize(
    "wanted",
    [
        ExceptionSelection(),
        ExceptionSelection(
            status="all", connection="c__c", integration="i__c", age=Age.WEEK
        ),
        ExceptionSelection().with_cause("save_error__sys", CAUSE),
        ExceptionSelection(type="malformed_message__sys", queue=""),
    ],
)
def test_a_form_comes_back_to_the_list_that_it_was_on(
    wanted: ExceptionSelection,
) -> None:
    assert ExceptionSelection.from_form(wanted.parameters) == wanted
    assert (
        ExceptionSelection.from_form({**wanted.parameters, "token": "t", "action": "a"})
        == wanted
    )


def test_what_no_page_has_written_is_cut_or_left_out() -> None:
    assert ExceptionSelection.from_form(
        {"age": "old", "type": "x" * 200}
    ) == ExceptionSelection(type="x" * 100)


@pytest.mark.parametrize(
    ("wanted", "undecided"),
    [
        ("open__sys", True),
        ("warning__sys", True),
        ("ignored__sys", False),
        ("resolved__sys", False),
        ("all", False),
        ("odd", False),
    ],
)
def test_only_what_is_undecided_has_buttons(wanted: str, undecided: bool) -> None:
    assert ExceptionSelection(status=wanted).undecided is undecided
