"""Audit entries have the documented fields, in JSON and CSV as metadata lists them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.service.vault import auditing, documenting
from tests.service.vault.auditing import RECORDS, latest, made, trail_of
from tests.service.vault.documenting import DOCUMENTS, created, document, form
from tests.service.vault.objects import ITEMS, items, key
from tests.service.vault.profiles import execute, with_profile
from tests.service.vault.served import USERNAMES, Api

audited = auditing.audited
types = documenting.types

# Vault API reference, Audit. What this Vault has no value for is left out: *grouping_id*, *migration_mode* and
# *job_instance_id*; docs/api.md says why.
OF_EVERY = {"id", "timestamp", "user_name", "full_name", "on_behalf_of"}
DOCUMENTED = {
    "document_audit_trail": {
        "action",
        "item",
        "field_name",
        "old_value",
        "new_value",
        "workflow_name",
        "task_name",
        "signature_meaning",
        "view_license",
        "doc_id",
        "version",
        "document_url",
        "event_description",
    },
    "object_audit_trail": {
        "action",
        "item",
        "field_label",
        "field_name",
        "old_value",
        "new_value",
        "old_display_value",
        "new_display_value",
        "record_id",
        "object_label",
        "object_name",
        "workflow_name",
        "task_name",
        "verdict",
        "reason",
        "capacity",
        "event_description",
    },
    "system_audit_trail": {"action", "item", "event_description"},
    "domain_audit_trail": {"action", "item", "event_description"},
    "login_audit_trail": {"source_ip", "type", "status", "browser", "platform"},
}
SECRETS = "/vobjects/secret_of_audited__c"
MDL = """
RECREATE Object secret_of_audited__c ( label('Secret'), prefix('ZSE') );
ALTER Object audited__c ( add Field secret__c ( type('Object'), label('Secret'),
    object('Object.secret_of_audited__c') ) );
ALTER Object audited__c ( add Field gone__c ( type('String'), label('Gone'), max_length(10) ) );
"""
CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.6478.127 Safari/537.36"
)


@pytest.fixture(scope="module", autouse=True)
async def secrets(admin: Api, audited: None) -> None:
    """An object to which audited records refer."""
    made_ = await execute(admin, MDL)
    assert made_.status == "SUCCESS", made_.text


async def names_in(admin: Api, trail: str) -> list[str]:
    described = await admin.get(f"/metadata/audittrail/{trail}")
    return [field["name"] for field in described.data["fields"]]


@pytest.mark.parametrize("trail", DOCUMENTED)
async def test_fields_are_the_documented_ones(admin: Api, trail: str) -> None:
    names = await names_in(admin, trail)
    assert len(names) == len(set(names))
    assert set(names) >= OF_EVERY | DOCUMENTED[trail]


async def test_every_form_of_an_answer_has_the_fields_of_the_metadata(
    admin: Api,
) -> None:
    record = await made(admin)
    document_id = await created(admin)
    trails = {
        f"{RECORDS}/{record}/audittrail": "object_audit_trail",
        f"{DOCUMENTS}/{document_id}/audittrail": "document_audit_trail",
    }
    trails |= {f"/audittrail/{trail}": trail for trail in DOCUMENTED}
    for path, trail in trails.items():
        names = await names_in(admin, trail)
        listed = await admin.get(path, params={"limit": "3"})
        assert listed.data or trail == "domain_audit_trail", path
        assert all(list(row) == names for row in listed.data), path
        if not path.startswith("/audittrail"):
            answer = await admin.get(path, params={"format_result": "csv"})
            header, *_ = csv.reader(io.StringIO(answer.text, newline=""))
            assert header == names


async def test_a_change_of_a_record_is_shown_as_people_read_it(admin: Api) -> None:
    friend = await made(admin)
    record = await made(admin)
    changes = {"id": record, "text__c": "new", "friend__c": friend}
    await admin.put(RECORDS, json=[changes])
    entries = {row["field_name"]: row for row in await trail_of(admin, record)}
    created = entries[None]
    assert created["item"] == "Audited : one"
    assert created["object_label"] == "Audited"
    assert created["event_description"] == "Audited: one created"
    text = entries["text__c"]
    assert (text["field_label"], text["new_display_value"]) == ("Text", "new")
    assert text["old_display_value"] is None
    assert text["event_description"] == '"Text" set to "new"'
    reference = entries["friend__c"]
    assert reference["new_value"] == friend
    assert reference["new_display_value"] == "one"
    assert reference["event_description"] == '"Friend" set to "one"'
    for row in entries.values():
        fields = ("workflow_name", "task_name", "verdict", "reason", "capacity")
        assert [row[name] for name in fields] == [None] * len(fields)
    await admin.put(RECORDS, json=[{"id": record, "text__c": "newer"}])
    (edit, *_) = await trail_of(admin, record)
    described = '"Text" changed from "new" to "newer"'
    assert edit["event_description"] == described


async def test_a_deleted_record_has_its_name_in_every_entry(admin: Api) -> None:
    (record,) = (
        await admin.post(RECORDS, json=[{"name__v": 'say "gone"\\', "text__c": "a"}])
    ).ids
    await admin.put(RECORDS, json=[{"id": record, "text__c": "b"}])
    await admin.delete(RECORDS, json=[{"id": record}])
    entries = await trail_of(admin, record)
    assert len(entries) == 3
    assert {row["item"] for row in entries} == {'Audited : say "gone"\\'}
    assert entries[0]["event_description"] == 'Audited: say "gone"\\ deleted'


async def test_labels_of_picklist_values_and_states(admin: Api, user: Api) -> None:
    (record,) = (
        await user.post("/vobjects/thing__c", json=[{"name__v": "a", "key__c": key()}])
    ).ids
    action = "Objectlifecyclestateuseraction.thing__c.new_state__c.start__c"
    await user.post(f"/vobjects/thing__c/{record}/actions/{action}")
    (edit, *_) = await trail_of(admin, record, "thing__c")
    assert (edit["old_value"], edit["old_display_value"]) == ("new_state__c", "New")
    assert edit["new_display_value"] == "Started"


async def test_names_of_records_that_one_may_not_read_are_not_shown(
    admin: Api,
) -> None:
    (secret,) = (await admin.post(SECRETS, json=[{"name__v": "hidden"}])).ids
    (record,) = (
        await admin.post(RECORDS, json=[{"name__v": "one", "secret__c": secret}])
    ).ids
    await admin.put(RECORDS, json=[{"id": record, "secret__c": ""}])
    (edit, *_) = await trail_of(admin, record)
    assert edit["old_display_value"] == "hidden"
    entries = {"audited__c": "r", "object_audit_trail": "r"}
    auditor = await with_profile(admin, {"read_audit"}, entries)
    (edit, *_) = await trail_of(auditor, record)
    assert (edit["old_value"], edit["old_display_value"]) == (secret, secret)
    assert "hidden" not in str(edit)


async def test_a_sign_in_has_address_browser_and_platform(admin: Api, api: Api) -> None:
    credentials = {"username": USERNAMES["user"], "password": "a wrong one"}
    headers = {"User-Agent": CHROME}
    await api.post("/auth", data=credentials, headers=headers)
    entry = await latest(admin, "login_audit_trail")
    assert (entry["browser"], entry["platform"]) == (
        "Chrome 126.0.6478.127",
        "Intel Mac OS X 10.15.7",
    )
    assert entry["type"] == "User Login"
    assert entry["source_ip"]
    await api.signed_in("user")
    entry = await latest(admin, "login_audit_trail")
    assert (entry["status"], entry["browser"]) == ("Success", "Unknown")
    assert entry["source_ip"]


async def entries_of(admin: Api, document_id: int) -> list[dict[str, Any]]:
    path = f"{DOCUMENTS}/{document_id}/audittrail"
    rows: list[dict[str, Any]] = (await admin.get(path)).data
    return rows


async def test_a_document_is_named_by_its_number_and_version(admin: Api) -> None:
    document_id = await created(admin)
    number = (await document(admin, document_id))["document_number__v"]
    await admin.put(f"{DOCUMENTS}/{document_id}", data={"title__v": "First"})
    await admin.post(
        f"{DOCUMENTS}/{document_id}", data={"createDraft": "latestContent"}
    )
    await admin.put(f"{DOCUMENTS}/{document_id}", data={"title__v": "Second"})
    edit, draft, first, creation = await entries_of(admin, document_id)
    for entry, version in (
        (creation, "0.1"),
        (first, "0.1"),
        (draft, "0.2"),
        (edit, "0.2"),
    ):
        assert entry["item"] == number
        assert entry["doc_id"] == str(document_id)
        assert entry["version"] == version
        page = f"/ui/documents/{document_id}/versions/{version.replace('.', '/')}"
        assert entry["document_url"] == page
        assert (entry["view_license"], entry["signature_meaning"]) == ("", None)
    described = '"title__v" changed from "First" to "Second"'
    assert edit["event_description"] == described
    assert creation["event_description"] == "Document created"


async def test_the_version_that_a_call_names_is_the_one_of_the_entry(
    admin: Api,
) -> None:
    document_id = await created(admin)
    path = f"{DOCUMENTS}/{document_id}"
    await admin.post(path, data={"createDraft": "latestContent"})
    rendition = form(b"%PDF-1.4 an earlier one", "earlier.pdf")
    added = await admin.post(
        f"{path}/versions/0/1/renditions/viewable_rendition__v", data=rendition
    )
    assert added.status == "SUCCESS", added.text
    await admin.put(f"{path}/versions/0/1", data={"title__v": "Earlier"})
    await admin.delete(f"{path}/versions/0/1")
    deleted, edited, rendered, *_ = await entries_of(admin, document_id)
    assert [each["version"] for each in (deleted, edited, rendered)] == ["0.1"] * 3


async def test_a_deleted_document_keeps_its_number_in_the_trail(admin: Api) -> None:
    document_id = await created(admin)
    number = (await document(admin, document_id))["document_number__v"]
    await admin.delete(f"{DOCUMENTS}/{document_id}")
    deleted, creation = await entries_of(admin, document_id)
    assert (deleted["action"], creation["action"]) == ("Delete", "Create")
    assert {each["item"] for each in (deleted, creation)} == {number}
    assert {each["version"] for each in (deleted, creation)} == {"0.1"}


async def test_the_trail_of_documents_is_queried_by_document(admin: Api) -> None:
    document_id = await created(admin)
    text = "SELECT action, item, version, view_license FROM document_audit_trail"
    answer = await admin.query(f"{text} WHERE doc_id = '{document_id}'")
    assert [(row["action"], row["version"]) for row in answer.data] == [
        ("Create", "0.1")
    ]


async def test_labels_of_several_values_and_of_flags(admin: Api) -> None:
    (one,) = await items(admin, 1)
    changes = {"id": one, "sizes__c": "large__c,small__c", "yes__c": True}
    await admin.put(ITEMS, json=[changes])
    trail = await trail_of(admin, one, "item__c")
    shown = {row["field_name"]: row["new_display_value"] for row in trail}
    assert sorted(str(shown["sizes__c"]).split(", ")) == ["Large", "Small"]
    assert shown["yes__c"] == "Yes"


async def test_entries_of_what_the_configuration_no_longer_has(admin: Api) -> None:
    (record,) = (
        await admin.post(RECORDS, json=[{"name__v": "one", "gone__c": "old"}])
    ).ids
    await admin.put(RECORDS, json=[{"id": record, "gone__c": ""}])
    dropped = await execute(admin, "ALTER Object audited__c ( DROP Field gone__c );")
    assert dropped.status == "SUCCESS", dropped.text
    (edit, created_) = await trail_of(admin, record)
    assert (edit["field_name"], edit["field_label"]) == ("gone__c", None)
    assert (edit["old_display_value"], edit["object_label"]) == ("old", "Audited")
    assert edit["event_description"] == '"gone__c" cleared'
    assert created_["item"] == "Audited : one"
