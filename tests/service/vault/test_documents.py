"""Documents through the API: created, found, changed and deleted; their versions, files, renditions and states."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault import documenting
from tests.service.vault.documenting import (
    DOCUMENTS,
    created,
    document,
    download,
    form,
    run,
    template,
)
from tests.service.vault.objects import key
from tests.service.vault.served import Api

types = documenting.types


async def test_a_document_is_created_with_its_file(user: Api, vault: Vault) -> None:
    content = b"<p>Dear reader</p>"
    document_id = await created(
        user, content, title__v="Welcome", language__v="french__v"
    )
    answer = await user.get(f"{DOCUMENTS}/{document_id}")
    shown = answer.body["document"]
    assert (shown["id"], shown["version_id"]) == (document_id, f"{document_id}_0_1")
    assert shown["document_number__v"] == f"ET-{document_id:06}"
    assert (shown["type__v"], shown["lifecycle__v"], shown["status__v"]) == (
        "Email Template",
        "Content Lifecycle",
        "Draft",
    )
    assert (shown["major_version_number__v"], shown["minor_version_number__v"]) == (
        0,
        1,
    )
    assert (shown["title__v"], shown["language__v"]) == ("Welcome", ["french__v"])
    assert shown["global_id__sys"] == f"{vault.vault_id}_{document_id}"
    assert (
        shown["md5checksum__v"]
        == hashlib.md5(content, usedforsecurity=False).hexdigest()
    )
    assert (shown["filename__v"], shown["format__v"], shown["size__v"]) == (
        "letter.html",
        "text/html",
        len(content),
    )
    assert [version["number"] for version in answer.body["versions"]] == ["0.1"]
    assert (answer.body["renditions"], answer.body["attachments"]) == ({}, [])

    status, headers, body = await download(user, f"{DOCUMENTS}/{document_id}/file")
    assert (status, body) == (200, content)
    assert headers["Content-Disposition"] == 'attachment;filename="letter.html"'
    status, headers, body = await download(
        user, f"{DOCUMENTS}/{document_id}/versions/0/1/file", Range="bytes=3-6"
    )
    assert (status, body, headers["Content-Range"]) == (
        206,
        b"Dear",
        f"bytes 3-6/{len(content)}",
    )


async def test_types_are_named_level_by_level(user: Api) -> None:
    levels = {
        "type__v": "Promotion",
        "subtype__v": "leaflet__c",
        "classification__v": "Folded",
    }
    made = await user.post(
        DOCUMENTS, data={**template(), **levels, "lifecycle__v": "Short"}
    )
    shown = await document(user, made.body["id"])
    assert (shown["type__v"], shown["subtype__v"], shown["classification__v"]) == (
        "Promotion",
        "Leaflet",
        "Folded",
    )
    assert (shown["status__v"], shown["filename__v"]) == ("Only", None)
    assert shown["document_number__v"] == f"VV-{made.body['id']:05}"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"type__v": ""}, "PARAMETER_REQUIRED"),
        ({"name__v": ""}, "PARAMETER_REQUIRED"),
        ({"name__v": "x" * 101}, "INVALID_DATA"),
        ({"type__v": "nothing__c"}, "INVALID_DATA"),
        ({"type__v": "promotion__c"}, "PARAMETER_REQUIRED"),  # it has two lifecycles
        ({"type__v": "promotion__c", "lifecycle__v": "nothing__c"}, "INVALID_DATA"),
        ({"type__v": "promotion__c", "classification__v": "folded__c"}, "INVALID_DATA"),
        ({"type__v": "promotion__c", "subtype__v": "folded__c"}, "INVALID_DATA"),
        ({"language__v": "klingon__c"}, "INVALID_DATA"),
        ({"country__v": "0000"}, "INVALID_DATA"),
        ({"rank__c": "10"}, "INVALID_DATA"),
        ({"status__v": "approved__v"}, "INVALID_DATA"),
        ({"nothing__c": "1"}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"major_version_number__v": "1"}, "INVALID_DATA"),
        (
            {"major_version_number__v": "1", "minor_version_number__v": "-1"},
            "INVALID_DATA",
        ),
    ],
)
async def test_what_no_document_can_be_made_of(
    user: Api, fields: dict[str, str], error: str
) -> None:
    answer = await user.post(DOCUMENTS, data={**template(), **fields})
    assert answer.error == error, answer.text


async def test_fields_are_changed_and_read_back(user: Api, admin: Api) -> None:
    document_id = await created(user)
    answer = await user.put(
        f"{DOCUMENTS}/{document_id}",
        data={"channels__c": "small__c,large__c", "rank__c": "3"},
    )
    assert answer.body == {"responseStatus": "SUCCESS", "id": document_id}
    shown = await document(user, document_id)
    assert (shown["channels__c"], shown["rank__c"]) == (["small__c", "large__c"], 3)
    await user.put(
        f"{DOCUMENTS}/{document_id}/versions/0/1",
        json={"rank__c": None, "title__v": "It's"},
    )
    shown = await document(user, document_id, "0/1")
    assert (shown["rank__c"], shown["title__v"]) == (None, "It's")
    assert (
        await user.put(f"{DOCUMENTS}/{document_id}", data={"rank__c": "x"})
    ).error == "INVALID_DATA"
    trail = await admin.get(f"{DOCUMENTS}/{document_id}/audittrail")
    seen = [
        (row["action"], row["field_name"], row["old_value"], row["new_value"])
        for row in trail.data
    ]
    assert ("Edit", "rank__c", "3", None) in seen
    assert seen[-1] == ("Create", None, None, None)
    assert trail.body["responseDetails"]["object"]["name"] == "document_audit_trail"


async def test_renditions_are_added_replaced_and_removed(user: Api) -> None:
    document_id = await created(user, b"source")
    path = f"{DOCUMENTS}/{document_id}/renditions/viewable_rendition__v"
    assert (
        await user.put(path, data=form(b"pdf", "x.pdf"))
    ).error == "OPERATION_NOT_ALLOWED"
    assert (await user.post(path)).error == "PARAMETER_REQUIRED"
    assert (
        await user.post(path, data=form(b"pdf", "C:\\work\\x.pdf"))
    ).status == "SUCCESS"
    assert (
        await user.post(path, data=form(b"pdf", "x.pdf"))
    ).error == "OPERATION_NOT_ALLOWED"
    _, headers, body = await download(user, path)
    assert (body, headers["Content-Type"]) == (b"pdf", "application/pdf;charset=UTF-8")
    assert (await user.put(path, data=form(b"new", "y.pdf"))).status == "SUCCESS"
    version = f"{DOCUMENTS}/{document_id}/versions/0/1/renditions"
    answer = (await user.get(version)).body
    listed = answer["renditions"]
    assert list(listed) == ["viewable_rendition__v"]
    # All that the document may have, whether it has them or not.
    assert "viewable_rendition__v" in answer["renditionTypes"]
    assert (
        await download(
            user, listed["viewable_rendition__v"].removeprefix(f"{user.url}/api/v25.1")
        )
    )[2] == b"new"
    assert (await user.delete(f"{version}/viewable_rendition__v")).status == "SUCCESS"
    answer = (await user.get(f"{DOCUMENTS}/{document_id}/renditions")).body
    assert answer["renditions"] == {}
    assert "viewable_rendition__v" in answer["renditionTypes"]
    assert (await user.get(path)).error == "INVALID_DATA"
    for verb in (user.get, user.delete):
        assert (
            await verb(f"{DOCUMENTS}/{document_id}/renditions/nothing__c")
        ).error == "INVALID_DATA"
    assert (await document(user, document_id))["size__v"] == 6


async def test_documents_are_listed_and_searched(user: Api, admin: Api) -> None:
    word = f"w{key()}".replace("-", "").lower()
    ids = [await created(user, name__v=f"{word} {n}") for n in range(3)]
    await created(admin, name__v=f"{word} of another")
    page = await user.get(
        f"{DOCUMENTS}?search={word}&limit=2&start=1&named_filter=My Documents"
    )
    assert (page.body["size"], page.body["start"], page.body["limit"]) == (3, 1, 2)
    assert [row["document"]["id"] for row in page.body["documents"]] == ids[1:]
    await user.post(f"{DOCUMENTS}/{ids[0]}", data={"createDraft": "latestContent"})
    every = await user.get(f"{DOCUMENTS}?search={word}&versionscope=all")
    assert every.body["size"] == 5
    assert (await user.get(f"{DOCUMENTS}?search={word}&scope=all")).body["size"] == 4
    assert (await user.get(f"{DOCUMENTS}?search={word}&scope=contents")).body[
        "size"
    ] == 0
    assert (
        await user.get(f"{DOCUMENTS}?search={word}&scope=nowhere")
    ).error == "INVALID_DATA"
    assert (await user.get(f"{DOCUMENTS}?named_filter=Other")).error == "INVALID_FILTER"
    assert (await user.get(f"{DOCUMENTS}?versionscope=Other")).error == "INVALID_DATA"
    assert (await user.get(f"{DOCUMENTS}?search=it's \\ (")).error in (
        "INVALID_DATA",
        "INCORRECT_QUERY_SYNTAX_ERROR",
    )


async def test_documents_and_versions_are_deleted(user: Api, admin: Api) -> None:
    document_id = await created(user, b"gone")
    path = f"{DOCUMENTS}/{document_id}"
    assert (await user.delete(path)).error == "INSUFFICIENT_ACCESS"
    assert (await admin.delete(f"{path}/versions/0/1")).error == "OPERATION_NOT_ALLOWED"
    await user.post(path, data=form(b"second"))
    await user.put(path, data={"external_id__v": "D-1"})
    assert (await admin.delete(f"{path}/versions/0/2")).status == "SUCCESS"
    assert (await document(user, document_id))["version_id"] == f"{document_id}_0_1"
    assert (await admin.delete(path)).body == {
        "responseStatus": "SUCCESS",
        "id": document_id,
    }
    for gone in (path, f"{path}/file", f"{path}/versions"):
        assert (await user.get(gone)).error == "INVALID_DATA"
    deletions = await user.get("/objects/deletions/documents")
    version, whole = [row for row in deletions.data if row["id"] == document_id]
    assert version["global_version_id__sys"] == f"{version['global_id__sys']}_0_2"
    assert (version["major_version_number__v"], version["minor_version_number__v"]) == (
        0,
        2,
    )
    assert (whole["major_version_number__v"], whole["minor_version_number__v"]) == (
        "",
        "",
    )
    assert (whole["global_id__sys"], whole["global_version_id__sys"]) == (
        version["global_id__sys"],
        None,
    )
    assert [row["external_id__v"] for row in (version, whole)] == ["D-1", None]
    assert [row["deletion_type"] for row in (version, whole)] == [
        "document_version__sys",
        "document__sys",
    ]
    trail = await admin.get(f"{path}/audittrail?events=Delete")
    assert [row["field_name"] for row in trail.data] == [None, "version"]


async def test_bad_files_and_places_are_refused(
    user: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = await created(user)
    assert (await user.get(f"{DOCUMENTS}/{document_id}/file")).error == "INVALID_DATA"
    for path in ("0", "x", "99999999999", "2147483000", f"{document_id}/versions/7/7"):
        assert (await user.get(f"{DOCUMENTS}/{path}")).error == "INVALID_DATA", path
    assert (
        await user.post(DOCUMENTS, data=form(b"x", "x" * 300, **template()))
    ).error == "INVALID_DATA"
    monkeypatch.setattr(
        vault, "settings", vault.settings.model_copy(update={"document_file_bytes": 10})
    )
    assert (
        await user.post(DOCUMENTS, data=form(b"x" * 11, **template()))
    ).error == "EXCEEDS_FILE_MAX_SIZE"


async def test_what_documents_are_like(user: Api) -> None:
    path = "/metadata/objects/documents"
    properties = {
        row["name"]: row
        for row in (await user.get(f"{path}/properties")).body["properties"]
    }
    assert (properties["name__v"]["required"], properties["name__v"]["maxLength"]) == (
        True,
        100,
    )
    assert (
        properties["country__v"]["type"],
        properties["country__v"]["objectType"],
    ) == (
        "ObjectReference",
        "country__v",
    )
    assert (
        properties["rank__c"]["minValue"],
        properties["channels__c"]["repeating"],
    ) == (1, True)
    types = (await user.get(f"{path}/types")).body
    lock = await user.get(types["lock"].removeprefix(user.url))
    assert "locked_by__v" in {row["name"] for row in lock.body["properties"]}
    listed = {row["name"]: row["value"] for row in types["types"]}
    one = (await user.get(listed["promotion__c"].removeprefix(user.url))).body
    assert [row["name"] for row in one["availableLifecycles"]] == [
        "content_lifecycle__v",
        "short__c",
    ]
    below = (await user.get(one["subtypes"][0]["value"].removeprefix(user.url))).body
    last = (
        await user.get(below["classifications"][0]["value"].removeprefix(user.url))
    ).body
    assert (below["name"], last["name"], last["label"]) == (
        "leaflet__c",
        "folded__c",
        "Folded",
    )
    assert (await user.get(f"{path}/types/nothing__c")).error == "INVALID_DATA"


async def test_what_files_say_is_found(user: Api, vault: Vault) -> None:
    word, other = (
        f"w{key().lower().replace('-', '')}x",
        f"q{key().lower().replace('-', '')}x",
    )
    html = f"<p title='{other}'>Take <b>{word}</b> with food</p>".encode()
    first = await created(user, html, title__v=other)
    second = await created(
        user, filename="data.csv", content=f"name,dose\n{word},10\n".encode()
    )
    unread = await created(
        user, filename="scan.pdf", content=f"%PDF-1.4 {word}".encode()
    )
    named = await created(user, title__v=word)
    found = {
        f"'{word}' SCOPE CONTENT": {first, second},
        f"'{word}'": {named},
        f"'{word}' SCOPE PROPERTIES": {named},
        f"'{word}' SCOPE ALL": {first, second, named},
        f"'{word} food' SCOPE CONTENT": {first},
        f"'{word} foo' SCOPE CONTENT": {first},
        f"'foo {word}' SCOPE CONTENT": set(),
        f"'{word} {other}' SCOPE ALL": {first},
        f"'{other}' SCOPE CONTENT": set(),
        f"'{word}' SCOPE CONTENT AND NOT 'dose' SCOPE CONTENT": {first},
    }
    for phrase, expected in found.items():
        rows = (await user.query(f"SELECT id FROM documents FIND ({phrase})")).data
        assert {row["id"] for row in rows} == expected, phrase
    assert unread not in found[f"'{word}' SCOPE ALL"]

    # The latest version says something else now; the one before is still there.
    assert (
        await user.post(
            f"{DOCUMENTS}/{first}", data=form(b"nothing of it", "letter.txt")
        )
    ).status == "SUCCESS"
    find = f"FIND ('{word}' SCOPE CONTENT)"
    assert [
        row["id"] for row in (await user.query(f"SELECT id FROM documents {find}")).data
    ] == [second]
    versions = (
        await user.query(f"SELECT version_id FROM ALLVERSIONS documents {find}")
    ).data
    assert {row["version_id"] for row in versions} == {f"{first}_0_1", f"{second}_0_1"}

    # Texts that were not kept, as of files from before there were any, are kept by the job of the day.
    async with vault.database.connection() as connection:
        await connection.execute(
            "DELETE FROM platform.content_text WHERE text LIKE $1", f"%{word}%"
        )
    assert (await user.query(f"SELECT id FROM documents {find}")).data == []
    await vault.document_texts.extract_missing()
    assert [
        row["id"] for row in (await user.query(f"SELECT id FROM documents {find}")).data
    ] == [second]


async def test_texts_go_with_their_content(admin: Api, vault: Vault) -> None:
    data = f"gone {key()}".encode()
    document_id = await created(admin, filename="gone.txt", content=data)
    kept = "SELECT count(*) FROM platform.content_text WHERE sha256 = $1"
    sha256 = hashlib.sha256(data).hexdigest()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for expected in (1, 0):
        await vault.content.remove_unused(tomorrow)
        async with vault.database.connection() as connection:
            assert await connection.fetchval(kept, sha256) == expected
        await admin.delete(f"{DOCUMENTS}/{document_id}")


SENDING = """
RECREATE Queue promoted__c ( label('Promoted'), type('outbound'),
  Queueconnection medical_crm__v ( connection_name('medical_crm__v'), connection_type('vault_to_vault__sys'),
    deliver_to_queue('elsewhere__c') ) );
RECREATE Doclifecycle telling__c ( label('Telling'),
  Doclifecyclestate start__c ( label('Start'), state_type('initial_state__sys'),
    Doclifecyclestateuseraction tell__c ( label('Tell'), action('change_state'), next_state('told__c') ),
    Doclifecyclestateuseraction lose__c ( label('Lose'), action('change_state'), next_state('lost__c') ) ),
  Doclifecyclestate told__c ( label('Told'), state_type('steady_state__sys'),
    Doclifecyclestateentryaction send__c ( action('send_message'), order(1), queue('promoted__c'),
      integration_point('anywhere__c'), event('told') ) ),
  Doclifecyclestate lost__c ( label('Lost'),
    Doclifecyclestateentryaction send__c ( action('send_message'), order(1), queue('nowhere__c'),
      integration_point('anywhere__c'), event('lost') ) ) );
RECREATE Doctype telling__c ( label('Telling'), available_lifecycles('Doclifecycle.telling__c') );
"""


async def test_a_state_sends_a_message_of_the_document_that_comes_into_it(
    admin: Api, user: Api
) -> None:
    assert (await admin.post("/api/mdl/execute", data=SENDING)).status == "SUCCESS"
    await admin.put("/services/queues/promoted__c/actions/disable_delivery")
    document_id = await created(user, type__v="telling__c")
    refused = await run(user, document_id, "0/1", "lose__c")
    assert refused.error == "OPERATION_NOT_ALLOWED" and "nowhere__c" in refused.message
    assert (await document(user, document_id))["status__v"] == "Start", "all or nothing"
    assert (await run(user, document_id, "0/1", "tell__c")).status == "SUCCESS"
    (queue,) = (await admin.get("/services/queues/promoted__c")).data
    assert queue["messages_in_queue"] == 1
    await admin.put("/services/queues/promoted__c/actions/reset")


async def test_what_works_on_records_is_no_entry_action_of_a_document(
    admin: Api,
) -> None:
    text = SENDING[
        SENDING.index("RECREATE Doclifecycle") : SENDING.index("RECREATE Doctype")
    ]
    answer = await admin.post(
        "/api/mdl/execute", data=text.replace("'send_message'", "'set_field'", 1)
    )
    assert answer.status == "FAILURE"
    assert "set_field is an action of records" in answer.text
