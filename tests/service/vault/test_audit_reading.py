"""The audit trails are read by administrators: pages, filters, CSV, exports, queries."""

from __future__ import annotations

import csv
import io

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.audit.audit_service import AuditFilter
from tests.service.vault import auditing
from tests.service.vault.auditing import RECORDS, made
from tests.service.vault.jobbing import finished
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import USERNAMES, Api
from tests.service.vault.test_audit import WHOSE

audited = auditing.audited


async def test_shapes(admin: Api) -> None:
    listed = (await admin.get("/metadata/audittrail")).body["audittrails"]
    assert [one["name"] for one in listed] == [
        "document_audit_trail",
        "object_audit_trail",
        "system_audit_trail",
        "domain_audit_trail",
        "login_audit_trail",
    ]
    for one in listed:
        assert one["url"] == f"/api/v25.1/metadata/audittrail/{one['name']}"
        described = (await admin.get(f"/metadata/audittrail/{one['name']}")).data
        assert (described["name"], described["label"]) == (one["name"], one["label"])
        names = [field["name"] for field in described["fields"]]
        assert {"id", "timestamp", *WHOSE} <= set(names)
        answer = await admin.get(
            f"/audittrail/{one['name']}", params={"limit": 2, "all_dates": "true"}
        )
        details = answer.body["responseDetails"]
        assert details["object"] == one
        assert (details["offset"], details["limit"], details["size"]) == (
            0,
            2,
            len(answer.data),
        )
        assert all(list(row) == names for row in answer.data)


async def test_pages_and_filters(admin: Api) -> None:
    record = await made(admin)
    await admin.put(RECORDS, json=[{"id": record, "text__c": "first"}])
    await admin.put(RECORDS, json=[{"id": record, "text__c": "last"}])
    path = f"{RECORDS}/{record}/audittrail"
    first = await admin.get(path, params={"limit": 2})
    assert (first.body["responseDetails"]["total"], len(first.data)) == (3, 2)
    second = await admin.get(first.body["responseDetails"]["next_page"])
    assert [row["action"] for row in second.data] == ["Create"]
    assert second.body["responseDetails"]["previous_page"].endswith("limit=2&offset=0")
    creations = await admin.get(path, params={"events": "create"})
    assert [row["action"] for row in creations.data] == ["Create"]
    entries = await admin.get(
        "/audittrail/object_audit_trail",
        params={"objects": "audited__c", "events": "Edit"},
    )
    assert {(row["object_name"], row["action"]) for row in entries.data} == {
        ("audited__c", "Edit")
    }
    past = {"start_date": "2001-01-01", "end_date": "2001-01-02T00:00:00Z"}
    assert (await admin.get("/audittrail/object_audit_trail", params=past)).data == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/audittrail/object_audit_trail", {"objects": "audited__c"}),
        (
            "/audittrail/object_audit_trail",
            {"objects": "audited__c", "all_dates": "true"},
        ),
        (f"{RECORDS}/{{record}}/audittrail", {}),
    ],
)
async def test_pages_repeat_no_entry_while_others_write(
    admin: Api, path: str, params: dict[str, str]
) -> None:
    record = await made(admin)
    for text in ("first", "second", "third"):
        await admin.put(RECORDS, json=[{"id": record, "text__c": text}])
    answer = await admin.get(path.format(record=record), params={**params, "limit": 1})
    total = answer.body["responseDetails"]["total"]
    shown = [answer.data[0]["id"]]
    for _ in range(2):
        await admin.put(RECORDS, json=[{"id": record, "text__c": f"after {shown[-1]}"}])
        answer = await admin.get(answer.body["responseDetails"]["next_page"])
        assert answer.status == "SUCCESS", answer.text
        assert answer.body["responseDetails"]["total"] == total
        shown.append(answer.data[0]["id"])
    assert len(set(shown)) == 3
    before = await admin.get(answer.body["responseDetails"]["previous_page"])
    assert before.data[0]["id"] == shown[1]


async def test_a_page_as_csv(admin: Api) -> None:
    record = await made(admin)
    await admin.put(RECORDS, json=[{"id": record, "text__c": '=1+"2",\n'}])
    answer = await admin.get(
        f"{RECORDS}/{record}/audittrail", params={"format_result": "csv"}
    )
    assert answer.headers["Content-Type"].startswith("text/csv")
    edit, created = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert created["action"] == "Create"
    assert edit["new_value"].startswith("=1+")


async def test_the_default_format_may_be_named(admin: Api) -> None:
    record = await made(admin)
    for path in ("/audittrail/object_audit_trail", f"{RECORDS}/{record}/audittrail"):
        for format_result in ("json", "JSON", ""):
            answer = await admin.get(path, params={"format_result": format_result})
            assert answer.data, path


async def test_entries_are_exported_by_a_job(admin: Api, vault: Vault) -> None:
    record = await made(admin, text__c="exported")
    await admin.put(RECORDS, json=[{"id": record, "text__c": "=1+1"}])
    path = "/audittrail/object_audit_trail"
    asked = {"format_result": "csv", "objects": "audited__c", "limit": "1"}
    begun = await admin.get(path, params=asked)
    job_id = begun.body["job_id"]
    assert (begun.body["jobId"], begun.body["url"]) == (
        job_id,
        f"/api/v25.1/services/jobs/{job_id}",
    )
    # What happens from now on is not in the file.
    await admin.delete(RECORDS, json=[{"id": record}])
    status = await finished(admin, job_id)
    assert status["status"] == "SUCCESS"
    (href,) = (one["href"] for one in status["links"] if one["rel"] == "artifacts")
    file = await admin.get(href)
    assert file.headers["Content-Type"] == "text/csv;charset=UTF-8"
    rows = list(csv.DictReader(io.StringIO(file.text, newline="")))
    listed = await admin.get(path, params={"objects": "audited__c", "limit": "1000"})
    assert list(rows[0]) == list(listed.data[0])
    own = [row for row in rows if row["record_id"] == record]
    assert [row["action"] for row in own] == ["Edit", "Create"]
    assert own[0]["new_value"] == "=1+1"
    assert {row["object_name"] for row in rows} == {"audited__c"}
    login = href.replace("object_audit", "login_audit")
    assert (await admin.get(login)).error == "INVALID_DATA"
    _, username = await new_user(admin, security_profile__v="system_admin__v")
    other = await as_user(admin, username)
    assert (await other.get(href)).error == "INSUFFICIENT_ACCESS"


async def test_every_page_of_an_export_is_written_once(
    admin: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.vault.audit.audit_service.PAGE", 2)
    ids = [await made(admin) for _ in range(5)]
    caller = await vault.security.sessions.caller(admin.session_id)
    wanted = AuditFilter(objects=("audited__c",))
    pages = vault.audit.every(caller, "object_audit_trail", wanted)
    seen = [str(row["id"]) async for page in pages for row in page]
    assert len(seen) == len(set(seen)) >= len(ids)
    assert seen == sorted(seen, key=int, reverse=True)


@pytest.mark.parametrize(
    "params",
    [
        {"start_date": "yesterday"},
        {"end_date": "2026-13-01"},
        {"start_date": "2026-02-02", "end_date": "2026-02-01"},
        {"all_dates": "true", "start_date": "2026-02-02"},
        {"format_result": "xml"},
        {"limit": "0"},
        {"objects": ",".join(f"o{n}" for n in range(101))},
    ],
)
async def test_parameters_that_do_not_fit(admin: Api, params: dict[str, str]) -> None:
    answer = await admin.get("/audittrail/object_audit_trail", params=params)
    assert (answer.http_status, answer.error) == (200, "INVALID_DATA")


async def test_an_unknown_trail(admin: Api) -> None:
    assert (await admin.get("/audittrail/nothing_audit_trail")).error == "INVALID_DATA"
    assert (
        await admin.get("/metadata/audittrail/nothing_audit_trail")
    ).error == "INVALID_DATA"


async def test_queries(admin: Api, integration: Api, user: Api) -> None:
    record = await made(admin, text__c="a")
    text = f"SELECT user_name, action, record_id FROM object_audit_trail WHERE record_id = '{record}'"
    (row,) = (await admin.query(text)).data
    assert (row["user_name"], row["action"], row["record_id"]) == (
        USERNAMES["admin"],
        "Create",
        record,
    )
    counted = await admin.query(
        "SELECT id, timestamp, status FROM login_audit_trail ORDER BY timestamp DESC PAGESIZE 3"
    )
    assert len(counted.data) == 3, counted.text
    for client in (integration, user):
        assert (await client.query(text)).status == "FAILURE"
