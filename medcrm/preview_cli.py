"""Defines the command that shows what a transfer would do with records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import orjson
import typer

from medcrm.connector_calls import MEDICAL, ConnectorUrl, VaultName, connector_at
from medcrm.console_session import (
    DIFFERENT,
    RemoteUrl,
    RemoteUsername,
    Url,
    Username,
    account,
    remote_account,
    run,
)
from medcrm.tables import AsJson, aligned, show
from shared.client.results import Row, mapping, rows_of, text

Ids = Annotated[
    list[str], typer.Argument(help="Ids of 1 to 20 records of the other Vault.")
]
Rule = Annotated[
    str | None, typer.Option("--rule", help="Name of an integration rule.")
]
Point = Annotated[
    str | None,
    typer.Option("--integration-point", help="API name; needed without --rule."),
]
ObjectName = Annotated[
    str | None,
    typer.Option(
        "--object", help="Object of the records, where the rule reads several."
    ),
]
FIELD_COLUMNS = (
    "field_rule",
    "source_value",
    "reference_lookup",
    "target_field",
    "target_value",
    "error",
)
MAX_CELL = 60


def preview_command(  # noqa: PLR0913, PLR0917  options of the command
    ids: Ids,
    url: Url,
    username: Username,
    remote_url: RemoteUrl,
    remote_username: RemoteUsername,
    connector: ConnectorUrl,
    vault: VaultName = MEDICAL,
    rule: Rule = None,
    integration_point: Point = None,
    object_name: ObjectName = None,
    as_json: AsJson = False,
) -> None:
    """Preview a transfer of records field by field, without writing; ends with exit code 1 if a record would fail."""
    who, source = account(url, username), remote_account(remote_url, remote_username)
    named = {
        "rule": rule,
        "integration_point": integration_point,
        "object": object_name,
    }
    chosen = {name: value for name, value in named.items() if value}
    question: dict[str, object] = {"ids": ids, **chosen}

    async def ask() -> list[Row]:
        async with connector_at(connector, vault, who, source) as found:
            return await found.preview(question)

    records = run(ask())
    lines = [line for record in records for line in record_lines(record)]
    show(records, lines, as_json=as_json)
    if any(record.get("result") == "failed" for record in records):
        raise typer.Exit(DIFFERENT)


def record_lines(record: Row) -> list[str]:
    """Return the preview of one record as lines: result, fields by rule, and rows that would be written."""
    lines = [f"{text(record, 'id')}  {text(record, 'result')}"]
    for name in ("error", "warning"):
        if record.get(name):
            found = mapping(record[name], name)
            lines.append(f"  {name}: {text(found, 'type')}: {text(found, 'message')}")
    for part in rows_of(record.get("rules", []), "rules"):
        lines += ["", f"rule {text(part, 'rule')}"]
        fields = rows_of(part.get("fields", []), "fields")
        body = [[cell(field.get(name)) for name in FIELD_COLUMNS] for field in fields]
        lines += _shown([list(FIELD_COLUMNS), *body])
    writes = rows_of(record.get("writes", []), "writes")
    if writes:
        lines.append("")
        rows = [["event", "object", "id", "fields"]]
        rows += [_written(write) for write in writes]
        lines += _shown(rows)
    return lines


def _written(write: Row) -> list[str]:
    changes = mapping(write.get("changes", {}), "changes")
    named = [text(write, name) for name in ("event", "object", "id")]
    return [*named, ", ".join(changes)]


def _shown(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {line}" for line in aligned(rows)]


def cell(value: object) -> str:
    """Return a value of any JSON type on one line, shortened if it is long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    line = " ".join(text.split())
    return line if len(line) <= MAX_CELL else f"{line[: MAX_CELL - 1]}…"
