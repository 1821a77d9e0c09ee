"""Defines the work that the floor and the peers have in common: tables, rows to write, changes of a unit; pure.

An account is written as a person and its source data, an inquiry as these, a case and a case request, with an audit
entry for each new record or changed field and a line of lineage for each written record; then the inquiry gets its
status.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

UNIT = 500
QUEUE = "peer_work"
ACCOUNT = (
    "name",
    "first_name",
    "last_name",
    "credentials",
    "email",
    "phone",
    "veeva_id",
    "external_id",
)
# Of each target table: the fields beside those of every record, and which of them refer to another table.
TARGETS: Mapping[str, Sequence[str]] = {
    "person": ("name", "first_name", "last_name", "email", "veeva_id", "external_id"),
    "source_data": (*ACCOUNT, "person_id"),
    "case_record": ("name", "person_id", "country", "channel"),
    "case_request": ("name", "case_id", "product", "question"),
}
REFERENCES = {"person_id": "person", "case_id": "case_record"}
UNIQUE = {"person": ("veeva_id", "external_id")}
COMMON = """id text PRIMARY KEY, global_id text NOT NULL UNIQUE, link text UNIQUE, status text,
    created_by bigint NOT NULL, created_date timestamptz NOT NULL, modified_by bigint NOT NULL,
    modified_date timestamptz NOT NULL,
    source_modified timestamptz"""
SOURCE_DDL = f"""
CREATE TABLE account (id text PRIMARY KEY, global_id text NOT NULL UNIQUE, modified_date timestamptz NOT NULL,
    {", ".join(f"{name} text" for name in ACCOUNT)});
CREATE INDEX ON account (modified_date);
CREATE TABLE inquiry (id text PRIMARY KEY, global_id text NOT NULL UNIQUE, modified_date timestamptz NOT NULL,
    account_id text NOT NULL REFERENCES account (id), country text, product text, question text, status text);
CREATE INDEX ON inquiry (modified_date);
CREATE INDEX ON inquiry (account_id);
"""
AUDIT_DDL = """
CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, happened timestamptz NOT NULL DEFAULT now(),
    user_id bigint, action text NOT NULL, item text, record_id text, field text, old_value text, new_value text);
CREATE INDEX ON audit (happened, id);
CREATE INDEX ON audit (record_id, item);
CREATE TABLE lineage (id bigint GENERATED ALWAYS AS IDENTITY, item text NOT NULL, record_id text NOT NULL,
    rule text NOT NULL, message_id text NOT NULL, source_record text, fields text NOT NULL,
    written timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (record_id, id));
CREATE INDEX ON lineage (message_id, id);
"""
SOURCE_ROWS = """
INSERT INTO account SELECT 'V4A' || lpad(n::text, 12, '0'), '1_V4A' || lpad(n::text, 12, '0'), now(),
    'Bench Reader ' || n, 'Bench', 'Reader ' || n, 'MD', 'reader' || n || '@practice.example', '+1 555 0100',
    'V' || lpad(n::text, 9, '0'), 'BENCH-' || n FROM generate_series(1, $1::int) n
"""
INQUIRIES = """
INSERT INTO inquiry SELECT 'V4I' || lpad(n::text, 12, '0'), '1_V4I' || lpad(n::text, 12, '0'), now(),
    'V4A' || lpad(n::text, 12, '0'), 'US', 'Benchol',
    'Question ' || n || ': what is known about use in renal impairment?', 'pending' FROM generate_series(1, $1::int) n
"""
CHANGES = "UPDATE account SET credentials = 'MD ' || $1::text, modified_date = now()"
_numbers = itertools.count()


def target_ddl() -> str:
    """Return the statements that create the target's tables with their indexes."""
    statements = []
    for table, names in TARGETS.items():
        columns = [_column(name) for name in names]
        statements.append(f"CREATE TABLE {table} ({COMMON}, {', '.join(columns)});")
        statements.append(f"CREATE INDEX ON {table} (modified_date);")
        for name in names:
            if name in REFERENCES:
                statements.append(f"CREATE INDEX ON {table} ({name});")
            if name in UNIQUE.get(table, ()):
                statements.append(f"CREATE UNIQUE INDEX ON {table} ({name});")
    return "\n".join(statements) + AUDIT_DDL


def _column(name: str) -> str:
    refers = f" REFERENCES {REFERENCES[name]} (id)" if name in REFERENCES else ""
    return f"{name} text{refers}"


def person(account: Row) -> Row:
    """Return the person of an account."""
    row = {name: account[name] for name in TARGETS["person"]}
    return {
        "link": account["global_id"],
        "source_modified": account["modified_date"],
        **row,
    }


def source_data(account: Row, person_id: str) -> Row:
    """Return the source data of an account."""
    row = {name: account[name] for name in ACCOUNT}
    head = {"link": account["global_id"], "source_modified": account["modified_date"]}
    return {**head, **row, "person_id": person_id}


def case(inquiry: Row, person_id: str) -> Row:
    """Return the case of an inquiry."""
    return {
        "link": inquiry["global_id"],
        "source_modified": inquiry["modified_date"],
        "name": "CAS-" + inquiry["id"],
        "person_id": person_id,
        "country": inquiry["country"],
        "channel": "crm",
    }


def request(inquiry: Row, case_id: str) -> Row:
    """Return the case request of an inquiry."""
    return {
        "link": inquiry["global_id"],
        "source_modified": inquiry["modified_date"],
        "name": "CR-" + inquiry["id"],
        "case_id": case_id,
        "product": inquiry["product"],
        "question": inquiry["question"],
    }


@dataclass(slots=True)
class Changes:
    """The changes that writing rows makes in one table; ``ids`` are record ids by link."""

    inserts: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)
    lineage: list[Row] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)


def changes(
    table: str, rows: Iterable[Row], stored: Mapping[str, Row], message: str
) -> Changes:
    """Compare rows with stored ones by link: return new and changed rows with all fields, audit entries, lineage."""
    found = Changes()
    now = datetime.now(UTC)
    for row in rows:
        before = stored.get(row["link"])
        if before is None:
            # Worker processes are forks, with the same count.
            record_id = f"V5X{os.getpid() % 100_000:05d}{next(_numbers):07d}"
            dates = {"created_date": now, "modified_date": now}
            head = {"id": record_id, "global_id": f"2_{record_id}", "status": "active"}
            found.inserts.append(
                {**head, "created_by": 3, "modified_by": 3, **dates, **row}
            )
            found.audit.append(_entry("Create", table, record_id))
            fields = [name for name in row if row[name] is not None]
        else:
            record_id = before["id"]
            fields = [name for name in TARGETS[table] if row[name] != before[name]]
            if fields:
                found.updates.append(
                    {**row, "id": record_id, "modified_date": now, "modified_by": 3}
                )
            for name in fields:
                line = _entry("Edit", table, record_id)
                found.audit.append(
                    {
                        **line,
                        "field": name,
                        "old_value": before[name],
                        "new_value": row[name],
                    }
                )
        found.ids[row["link"]] = record_id
        if fields:
            found.lineage.append(
                {
                    "item": table,
                    "record_id": record_id,
                    "rule": f"{table}_rule",
                    "message_id": message,
                    "source_record": row["link"],
                    "fields": ",".join(fields),
                }
            )
    return found


def _entry(action: str, table: str, record_id: str | None) -> Row:
    return {
        "user_id": 3,
        "action": action,
        "item": table,
        "record_id": record_id,
        "field": None,
        "old_value": None,
        "new_value": None,
    }


def status_entries(ids: Iterable[str]) -> list[Row]:
    """Return the audit entries of inquiries whose status became Success."""
    return [
        {
            **_entry("Edit", "inquiry", item),
            "field": "status",
            "old_value": "pending",
            "new_value": "success",
        }
        for item in ids
    ]


def units(ids: Sequence[str]) -> list[list[str]]:
    """Return ids in units of 500."""
    return [list(ids[at : at + UNIT]) for at in range(0, len(ids), UNIT)]
