"""Extracts: the query that reads the fields of a task, with long texts in full."""

from __future__ import annotations

import pytest

from shared.vault.jobs.job_model import TaskState
from shared.vault.loader.extract import statement
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
