"""Does one message's work with SQLAlchemy: Core tables, bulk statements in a session, failing records separately."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    MetaData,
    Table,
    Text,
    bindparam,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bench.peers import work

METADATA = MetaData()


def _table(name: str, fields: Sequence[str]) -> Table:
    common = [
        Column("id", Text, primary_key=True),
        Column("global_id", Text),
        Column("link", Text),
        Column("status", Text),
        Column("created_by", BigInteger),
        Column("created_date", DateTime(timezone=True)),
        Column("modified_by", BigInteger),
        Column("modified_date", DateTime(timezone=True)),
        Column("source_modified", DateTime(timezone=True)),
    ]
    return Table(name, METADATA, *common, *(Column(each, Text) for each in fields))


TABLES = {name: _table(name, fields) for name, fields in work.TARGETS.items()}
ACCOUNT = Table(
    "account",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("global_id", Text),
    Column("modified_date", DateTime(timezone=True)),
    *(Column(each, Text) for each in work.ACCOUNT),
)
INQUIRY = Table(
    "inquiry",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("global_id", Text),
    Column("modified_date", DateTime(timezone=True)),
    *(
        Column(each, Text)
        for each in ("account_id", "country", "product", "question", "status")
    ),
)
TRAILS = {
    "audit": (
        "user_id",
        "action",
        "item",
        "record_id",
        "field",
        "old_value",
        "new_value",
    ),
    "lineage": ("item", "record_id", "rule", "message_id", "source_record", "fields"),
}
TRAIL_TABLES = {
    name: Table(
        name,
        METADATA,
        Column("id", BigInteger, Identity(), primary_key=True),
        *(Column(each, BigInteger if each == "user_id" else Text) for each in fields),
    )
    for name, fields in TRAILS.items()
}


def transfer(source: Session, target: Session, message: work.Row) -> None:
    """Carry out one message, ids of accounts or of inquiries, and commit."""
    ids = message["ids"]
    asked: list[work.Row] = []
    statement = select(ACCOUNT).where(ACCOUNT.c.id.in_(ids))
    if message["object"] == "inquiry":
        rows = source.execute(select(INQUIRY).where(INQUIRY.c.id.in_(ids))).mappings()
        asked = [dict(row) for row in rows]
        wanted = [row["account_id"] for row in asked]
        statement = select(ACCOUNT).where(ACCOUNT.c.id.in_(wanted))
    accounts = [dict(row) for row in source.execute(statement).mappings()]
    people = matched(target, accounts)
    unmatched = [
        work.person(each) for each in accounts if each["global_id"] not in people
    ]
    people |= write(target, "person", unmatched, message["id"])
    copies = [work.source_data(each, people[each["global_id"]]) for each in accounts]
    write(target, "source_data", copies, message["id"])
    if asked:
        person_of = {each["id"]: people[each["global_id"]] for each in accounts}
        rows = [work.case(row, person_of[row["account_id"]]) for row in asked]
        cases = write(target, "case_record", rows, message["id"])
        requests = [work.request(row, cases[row["global_id"]]) for row in asked]
        write(target, "case_request", requests, message["id"])
    target.commit()
    if asked:
        done = update(INQUIRY).where(INQUIRY.c.id.in_(ids)).values(status="success")
        source.execute(done)
        source.execute(insert(TRAIL_TABLES["audit"]), work.status_entries(ids))
    source.commit()


def matched(target: Session, accounts: Sequence[work.Row]) -> dict[str, str]:
    """Return the ids, by link, of persons that another account has made and that have one of its identifiers."""
    person = TABLES["person"].c
    numbers = {each["veeva_id"]: each["global_id"] for each in accounts}
    externals = {each["external_id"]: each["global_id"] for each in accounts}
    statement = select(
        person.id, person.link, person.veeva_id, person.external_id
    ).where(or_(person.veeva_id.in_(numbers), person.external_id.in_(externals)))
    found: dict[str, str] = {}
    for row in target.execute(statement):
        link = numbers.get(row.veeva_id) or externals[row.external_id]
        if row.link != link:
            found[link] = row.id
    return found


def write(
    target: Session, name: str, rows: Sequence[work.Row], message: str
) -> dict[str, str]:
    """Insert or update rows by link, with audit entries and lineage; return record ids by link."""
    table = TABLES[name]
    links = [row["link"] for row in rows]
    statement = select(table).where(table.c.link.in_(links)).with_for_update()
    stored = {row["link"]: dict(row) for row in target.execute(statement).mappings()}
    found = work.changes(name, rows, stored, message)
    try:
        with target.begin_nested():
            _write(target, table, found.inserts, found.updates)
    except IntegrityError:
        # Which record it is, one by one: the others are written.
        for each in found.inserts:
            with target.begin_nested():
                _write(target, table, [each], [])
    for trail, lines in (("audit", found.audit), ("lineage", found.lineage)):
        if lines:
            target.execute(insert(TRAIL_TABLES[trail]), lines)
    return found.ids


def _write(
    target: Session,
    table: Table,
    inserts: Sequence[work.Row],
    updates: Sequence[work.Row],
) -> None:
    if inserts:
        target.execute(insert(table), list(inserts))
    if updates:
        names = [name for name in updates[0] if name != "id"]
        values = {name: bindparam(f"new_{name}") for name in names}
        statement = update(table).where(table.c.id == bindparam("key")).values(values)
        rows = [
            {"key": row["id"], **{f"new_{name}": row[name] for name in names}}
            for row in updates
        ]
        target.connection().execute(statement, rows)
