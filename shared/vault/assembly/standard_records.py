"""Standard records given to a Vault: new ones, and new versions of those that nobody has changed."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import orjson

from shared.vault.access.caller import SYSTEM
from shared.vault.components.schema import quote, table
from shared.vault.records.rows import MAX_ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from shared.vault.components.registry import Registry
    from shared.vault.configuration.standard_items import Giving
    from shared.vault.records.record_service import RecordService

CHANGED_HERE = "The record was changed in this Vault"


async def give_records(
    giving: Giving, registry: Registry, records: RecordService, file: Path
) -> None:
    """Upsert what is new in ``NN_{object}.csv``, whose first column is the unique field that names a record.

    A record that was deleted here stays deleted; one that was changed here stays, and its row is withheld.
    """
    object_name = file.stem.partition("_")[2]
    key, shipped = _read(file)
    given = {
        name: note.given
        for name, note in (await giving.notes(object_name)).items()
        if note.given is not None
    }
    news = {name: row for name, row in shipped.items() if given.get(name) != _text(row)}
    target = registry.objects.get(object_name)
    if target is None or key not in target.fields:  # withheld, or dropped here
        for name, row in news.items():
            await giving.withhold(
                object_name,
                name,
                _text(row),
                f"The Vault has no {object_name} with {key}",
            )
        return
    sql = f"SELECT {quote(key)} AS key, modified_by__v FROM {table(object_name)} WHERE {quote(key)} = ANY($1::text[])"
    authors = {
        row["key"]: row["modified_by__v"] for row in await giving.fetch(sql, list(news))
    }
    wanted = []
    for name, row in news.items():
        if authors.get(name, SYSTEM.user_id) != SYSTEM.user_id:
            await giving.withhold(object_name, name, _text(row), CHANGED_HERE)
        elif name in authors or name not in given:
            wanted.append(row)
    for start in range(0, len(wanted), MAX_ROWS):
        await _upsert(
            giving, records, object_name, key, wanted[start : start + MAX_ROWS]
        )


async def _upsert(
    giving: Giving,
    records: RecordService,
    object_name: str,
    key: str,
    rows: list[dict[str, str]],
) -> None:
    results = await records.upsert(SYSTEM, object_name, rows, key)
    done = {}
    for row, result in zip(rows, results, strict=True):
        if result.errors:
            await giving.withhold(
                object_name, row[key], _text(row), result.errors[0].message
            )
        else:
            done[row[key]] = _text(row)
    await giving.give(object_name, done)


def _read(file: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """The name of the key column, and the rows by their keys."""
    with file.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        key = (reader.fieldnames or ["id"])[0]
        return key, {row[key]: row for row in reader}


def _text(row: dict[str, str]) -> str:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode()
