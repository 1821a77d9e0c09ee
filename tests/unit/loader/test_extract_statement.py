"""Extracts: the query that reads the fields of a task, with long texts in full."""

from __future__ import annotations

import pytest

from shared.vault.jobs.job_model import TaskState
from shared.vault.loader.extract import columns, statement
from shared.vault.loader.load import Progress
from shared.vault.loader.request import ExtractTask
from shared.vault.model.component_model import Field, FieldType, VaultObject


@pytest.mark.parametrize(
    ("field_type", "selected"),
    [
        (FieldType.LONG_TEXT, "LONGTEXT(f__c)"),
        (FieldType.RICH_TEXT, "RICHTEXT(f__c)"),
        (FieldType.STRING, "f__c"),
        (FieldType.PICKLIST, "f__c"),
    ],
)
def test_how_a_field_is_selected(field_type: FieldType, selected: str) -> None:
    thing = VaultObject(
        name="thing__c",
        label="Thing",
        label_plural="Things",
        prefix="V00",
        fields={"f__c": Field("f__c", "F", field_type)},
    )
    task = ExtractTask("1", "thing__c", ("f__c", "other__cr.f__c"), "")
    query = f"SELECT {selected}, other__cr.f__c FROM thing__c"
    assert statement(task, thing) == query


@pytest.mark.parametrize(
    ("names", "expressions", "places"),
    [
        (("f__c", "LONGTEXT(f__c)"), ("LONGTEXT(f__c)",), (0, 0)),
        (("longtext( f__c )", "f__c"), ("longtext( f__c )",), (0, 0)),
        (("LONGTEXT(f__c)", "id", "f__c"), ("LONGTEXT(f__c)", "id"), (0, 1, 0)),
        (("TRIM(g__c)", "g__c"), ("TRIM(g__c) AS column_1", "g__c"), (0, 1)),
        (("g__c", "TRIM(g__c) AS g"), ("g__c", "TRIM(g__c) AS g"), (0, 1)),
    ],
)
def test_no_expression_is_selected_twice(
    names: tuple[str, ...], expressions: tuple[str, ...], places: tuple[int, ...]
) -> None:
    fields = {"f__c": Field("f__c", "F", FieldType.LONG_TEXT)}
    thing = VaultObject("thing__c", "Thing", "Things", "V00", fields=fields)
    found = columns(ExtractTask("1", "thing__c", names, ""), thing)
    assert (found.expressions, found.places) == (expressions, places)


def test_criteria_follow_the_object() -> None:
    task = ExtractTask("1", "thing__c", ("id",), "WHERE id = 'A'")
    assert statement(task, None) == "SELECT id FROM thing__c WHERE id = 'A'"


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        (Progress(rows=2), TaskState.RUNNING),
        (Progress(rows=2, done=True), TaskState.SUCCESS),
        (Progress(rows=2, failure=1, done=True), TaskState.ERRORS_ENCOUNTERED),
        (Progress(faulty=True, done=True), TaskState.ERRORS_ENCOUNTERED),
    ],
)
def test_the_state_of_a_load(progress: Progress, state: TaskState) -> None:
    assert progress.state is state
