"""Loads standard records: new ones, and new versions of records that users have not changed."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import orjson

from shared.vault.access.caller import SYSTEM
from shared.vault.components.schema import quote, table
from shared.vault.records.rows import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.vault.components.registry import Registry
    from shared.vault.configuration.standard_items import StandardPass
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService

CHANGED_HERE = "The record was changed in this Vault"

Rows = dict[str, dict[str, str]]
"""Rows of a file by the value of their first column."""


async def load_records(
    standard_pass: StandardPass,
    registry: Registry,
    records: RecordService,
    file: Path,
) -> None:
    """Upsert the new rows of ``NN_{object}.csv``, whose first column is the unique field that identifies a record.

    A record that was deleted in this Vault is not created again. A record that was changed in this Vault is not
    updated, and its row is withheld.

    :raises StandardLoadFailed: when a new Vault refuses a row.
    """
    object_name = file.stem.partition("_")[2]
    key, shipped = _read(file)
    notes = await standard_pass.notes(object_name)
    loaded = {
        name: note.installed
        for name, note in notes.items()
        if note.installed is not None
    }
    changed = {
        name: row for name, row in shipped.items() if loaded.get(name) != _text(row)
    }
    target = registry.objects.get(object_name)
    # The object may be withheld itself, or an administrator has dropped it.
    if target is None or key not in target.fields:
        reason = f"The Vault has no {object_name} with {key}"
        for name, row in changed.items():
            await standard_pass.withhold(object_name, name, _text(row), reason)
        return
    wanted = await _rows_to_load(standard_pass, target, key, changed, loaded)
    for start in range(0, len(wanted), MAX_ROWS):
        part = wanted[start : start + MAX_ROWS]
        await _upsert(standard_pass, records, object_name, key, part)


async def _rows_to_load(
    standard_pass: StandardPass,
    target: VaultObject,
    key: str,
    changed: Rows,
    loaded: Mapping[str, str],
) -> list[dict[str, str]]:
    """Return the rows whose records are new, or unchanged in this Vault; withhold the rows of changed records."""
    sql = f"SELECT {quote(key)} AS key, modified_by__v FROM {table(target.name)} WHERE {quote(key)} = ANY($1::text[])"
    stored = await standard_pass.fetch(sql, list(changed))
    authors = {row["key"]: row["modified_by__v"] for row in stored}
    wanted = []
    for name, row in changed.items():
        if authors.get(name, SYSTEM.user_id) != SYSTEM.user_id:
            await standard_pass.withhold(target.name, name, _text(row), CHANGED_HERE)
        elif name in authors or name not in loaded:
            wanted.append(row)
    return wanted


async def _upsert(
    standard_pass: StandardPass,
    records: RecordService,
    object_name: str,
    key: str,
    rows: list[dict[str, str]],
) -> None:
    """Upsert rows, and record which were installed and which were refused."""
    results = await records.upsert(SYSTEM, object_name, rows, key)
    loaded = {}
    for row, result in zip(rows, results, strict=True):
        name, text = row[key], _text(row)
        if result.errors:
            reason = result.errors[0].message
            await standard_pass.withhold(object_name, name, text, reason)
        else:
            loaded[name] = text
    await standard_pass.record_installed(object_name, loaded)


def _read(file: Path) -> tuple[str, Rows]:
    """Return the name of a file's first column, and the rows by the values of that column."""
    with file.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        names = reader.fieldnames or ["id"]
        key = names[0]
        return key, {row[key]: row for row in reader}


def _text(row: dict[str, str]) -> str:
    """Return a row as text that is independent of the order of its columns."""
    text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    return text.decode()
