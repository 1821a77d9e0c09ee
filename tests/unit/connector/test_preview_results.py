"""The result of a preview: by outcome, else by the strongest of the writes to the target Vault."""

from __future__ import annotations

import pytest

from services.connector.points.planned_writes import Write, WriteEvent
from services.connector.points.transfer import Outcome
from services.connector.preview.record_preview import PreviewResult, RecordPreview

TARGET = 10101
SOURCE = 20202


def write(event: WriteEvent, vault_id: int = TARGET) -> Write:
    return Write(vault_id, "case__v", "A1", event, {})


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], PreviewResult.UNCHANGED),
        ([WriteEvent.UNCHANGED], PreviewResult.UNCHANGED),
        ([WriteEvent.UNCHANGED, WriteEvent.UPDATED], PreviewResult.UPDATED),
        ([WriteEvent.UPDATED, WriteEvent.UNCHANGED], PreviewResult.UPDATED),
        ([WriteEvent.UPDATED, WriteEvent.CREATED], PreviewResult.CREATED),
        ([WriteEvent.CREATED, WriteEvent.UPDATED], PreviewResult.CREATED),
    ],
)
def test_the_strongest_write_decides(
    events: list[WriteEvent], expected: PreviewResult
) -> None:
    writes = [write(event) for event in events]
    preview = RecordPreview("S1", Outcome(done={"S1"}), writes=writes)
    assert preview.result(TARGET) is expected


def test_writes_to_the_source_decide_nothing() -> None:
    writes = [write(WriteEvent.CREATED, SOURCE), write(WriteEvent.UNCHANGED)]
    preview = RecordPreview("S1", Outcome(done={"S1"}), writes=writes)
    assert preview.result(TARGET) is PreviewResult.UNCHANGED


def test_a_skipped_record_is_skipped() -> None:
    preview = RecordPreview("S1", Outcome(skipped={"S1"}))
    assert preview.result(TARGET) is PreviewResult.SKIPPED
