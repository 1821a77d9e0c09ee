"""Archives in parts, the periods of files by the clock, and differences of the configuration."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.vault.direct_data.archive_writing import pack
from shared.vault.direct_data.configuration_extracts import (
    ConfigurationExtract,
    difference,
    metadata_extract,
)
from shared.vault.direct_data.direct_data_jobs import next_day, next_window
from shared.vault.direct_data.direct_data_table import ExtractType, file_name
from shared.vault.direct_data.table_extracts import (
    Column,
    ColumnType,
    TableExtract,
    object_extract,
)
from shared.vault.model.component_model import Field, FieldType, VaultObject


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-29T{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("13:00:00", "13:15:00"),
        ("13:00:01", "13:15:00"),
        ("13:14:59.999999", "13:15:00"),
        ("13:15:00", "13:30:00"),
        ("13:45:00", "14:00:00"),
    ],
)
def test_windows_end_at_the_quarters_of_an_hour(moment: str, end: str) -> None:
    assert next_window(at(moment)) == at(end)


def test_daily_files_are_made_at_one_o_clock() -> None:
    assert next_day(at("00:59:59")) == at("01:00:00")
    assert next_day(at("01:00:00")) == at("01:00:00").replace(day=30)
    assert next_window(at("23:50:00")) == at("00:00:00").replace(day=30)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ExtractType.FULL, "10101-20261129-0105-F"),
        (ExtractType.INCREMENTAL, "10101-20261129-0105-N"),
        (ExtractType.LOG, "10101-20261129-0105-L"),
    ],
)
def test_names_tell_the_vault_the_end_and_the_kind(
    kind: ExtractType, name: str
) -> None:
    assert file_name(10101, kind, at("01:05:00")) == name


@pytest.mark.parametrize("limit", [1, 64, 2**30])
def test_parts_join_to_the_archive(tmp_path: Path, limit: int) -> None:
    contents, target = tmp_path / "contents", tmp_path / "parts"
    (contents / "Object").mkdir(parents=True)
    target.mkdir()
    texts = {"manifest.csv": "a,b\r\n", "Object/x__c.csv": "id\n" + "1\n" * 5000}
    for name, text in texts.items():
        (contents / name).write_text(text, newline="")
    parts = pack(contents, texts, target, limit)
    sizes = [part.stat().st_size for part in parts]
    assert [part.name for part in parts] == [
        f"{number:03}" for number in range(1, len(parts) + 1)
    ]
    assert all(size == limit for size in sizes[:-1])
    assert 0 < sizes[-1] <= limit
    joined = b"".join(part.read_bytes() for part in parts)
    with tarfile.open(fileobj=io.BytesIO(joined), mode="r:gz") as archive:
        read = {
            member.name: (archive.extractfile(member) or io.BytesIO()).read().decode()
            for member in archive.getmembers()
        }
    assert read == texts
    assert [path for path in contents.rglob("*") if path.is_file()] == []


def extract(**rows: str) -> ConfigurationExtract:
    columns = (
        Column("modified_date__v", "Modified Date", ColumnType.DATE_TIME),
        Column("id", "ID", ColumnType.STRING),
        Column("label__v", "Label", ColumnType.STRING),
    )
    cells = {key: ("2026-01-01", key, label) for key, label in rows.items()}
    return ConfigurationExtract(
        "Object", "x", "X", columns, "modified_date__v", ("id",), cells
    )


def test_a_difference_is_what_is_new_changed_or_gone() -> None:
    former = extract(same="Same", changed="Before", gone="Gone")
    now = extract(same="Same", changed="After", new="New")
    found = difference(now, former.digests())
    assert (found.updated, found.deleted) == (["changed", "new"], ["gone"])
    assert now.deletes(found.deleted, at("01:00:00")) == [
        ("id", "deleted_date"),
        ("gone", "2026-11-29T01:00:00.000Z"),
    ]
    assert now.updates(["new"], None)[1:] == [("2026-01-01", "new", "New")]


def test_columns_begin_with_the_standard_ones_and_leave_out_inactive_fields() -> None:
    fields = [
        Field("a__c", "A", FieldType.RICH_TEXT),
        Field("off__c", "Off", FieldType.STRING, active=False),
        Field("modified_date__v", "Modified", FieldType.DATE_TIME),
        Field("id", "ID", FieldType.ID),
    ]
    by_name = {field.name: field for field in fields}
    target = VaultObject("x__c", "X", "Xs", "XXX", fields=by_name)
    found: TableExtract = object_extract(target)
    assert [column.name for column in found.columns] == [
        "id",
        "modified_date__v",
        "a__c",
    ]
    rows = metadata_extract([found]).rows
    assert rows["Object.x__c|a__c"] == (
        None,
        "Object.x__c",
        "X",
        "a__c",
        "A",
        "LongText",
        64_000,
        None,
    )
