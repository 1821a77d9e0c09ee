"""Document templates, document events, tokens for documents, and the fields that documents have in common."""

from __future__ import annotations

from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created, document, form, run
from tests.service.vault.objects import key
from tests.service.vault.served import Api

types = documenting.types

TEMPLATES = f"{DOCUMENTS}/templates"
EVENT = {
    "event_type__v": "distribution__v",
    "event_subtype__v": "approved_email__v",
    "classification__v": "download__v",
    "external_id__v": "1234",
    "user_email__v": "reader@clinic.example",
}


async def templated(admin: Api, **fields: str) -> str:
    """Create a template of a letter, and return its name."""
    sent = {"label__v": f"Letter {key()}", "type__v": "promotion__c", **fields}
    data = form(b"<p>template</p>", "letter.html", active__v="true", **sent)
    answer = await admin.post(TEMPLATES, data=data)
    assert answer.status == "SUCCESS", answer.text
    return str(answer.body["name"])


async def test_a_template_is_created_read_changed_and_deleted(
    admin: Api, user: Api
) -> None:
    label = f"Promo Ad {key()}"
    name = await templated(admin, label__v=label, subtype__v="leaflet__c")
    assert name.startswith("promo_ad_")
    (found,) = (await user.get(f"{TEMPLATES}/{name}")).data
    me = (await admin.get("/objects/users/me")).body["users"][0]["user"]["id"]
    assert found == {
        "name__v": name,
        "label__v": label,
        "active__v": True,
        "type__v": "promotion__c",
        "subtype__v": "leaflet__c",
        "format__v": "text/html",
        "size__v": 15,
        "created_by__v": me,
        "file_uploaded_by__v": me,
        "md5checksum__v": found["md5checksum__v"],
    }
    assert found in (await user.get(TEMPLATES)).data
    _, headers, content = await documenting.download(user, f"{TEMPLATES}/{name}/file")
    assert content == b"<p>template</p>"
    assert 'filename="letter.html"' in headers["Content-Disposition"]
    csv = {"Accept": "text/csv"}
    changed = {"name__v": f"{name[:-3]}_b__c", "active__v": "false"}
    answer = await admin.put(f"{TEMPLATES}/{name}", data=changed, headers=csv)
    assert (
        answer.text
        == f"responseStatus,name,errors\r\nSUCCESS,{changed['name__v']},\r\n"
    )
    rows = [{"name__v": changed["name__v"], "new_name": name}, {"name__v": "no__c"}]
    many = await admin.put(TEMPLATES, json=rows)
    assert many.data[0] == {"responseStatus": "SUCCESS", "name": name}
    assert many.data[1]["errors"][0]["type"] == "INVALID_DATA"
    assert (await user.get(f"{TEMPLATES}/{name}")).data[0]["active__v"] is False
    for refused in (
        await user.delete(f"{TEMPLATES}/{name}"),
        await user.post(TEMPLATES, json=[]),
    ):
        assert refused.error == "INSUFFICIENT_ACCESS"
    assert (await admin.delete(f"{TEMPLATES}/{name}")).status == "SUCCESS"
    for gone in (name, "%00", "no%ED%A0%80__c", "x" * 200):
        assert (await user.get(f"{TEMPLATES}/{gone}")).error == "INVALID_DATA"
    fields = (await user.get("/metadata/objects/documents/templates")).data
    assert [each["name"] for each in fields][:2] == ["name__v", "label__v"]
    trail = await admin.get("/audittrail/system_audit_trail?limit=20")
    items = [row["item"] for row in trail.data if name in row["item"]]
    assert len(items) >= 2


UNFIT: tuple[tuple[dict[str, object], str], ...] = (
    ({"label__v": ""}, "PARAMETER_REQUIRED"),
    ({"type__v": "nothing__c"}, "INVALID_DATA"),
    ({"active__v": "maybe"}, "INVALID_DATA"),
    ({"file": ""}, "PARAMETER_REQUIRED"),
    ({"file": "/nothing.html"}, "INVALID_DATA"),
    ({"name__v": "No Name"}, "INVALID_DATA"),
    ({"is_controlled__v": "true"}, "OPERATION_NOT_ALLOWED"),
    ({"note__c": "x"}, "ATTRIBUTE_NOT_SUPPORTED"),
)


async def test_what_makes_no_template_is_refused(admin: Api) -> None:
    item = "/services/file_staging/items"
    staged = form(b"<p>staged</p>", path="/staged.html", kind="file", overwrite="true")
    await admin.post(item, data=staged)
    sound = {
        "label__v": f"Staged {key()}",
        "type__v": "promotion__c",
        "active__v": True,
    }
    sound["file"] = "/staged.html"
    rows = [sound, sound, *({**sound, **fields} for fields, _ in UNFIT)]
    answer = await admin.post(TEMPLATES, json=rows)
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text
    errors = [row["errors"][0]["type"] for row in answer.data[1:]]
    assert errors == ["ITEM_NAME_EXISTS", *(error for _, error in UNFIT)]


async def test_a_document_is_created_from_a_template(admin: Api, user: Api) -> None:
    name = await templated(admin, subtype__v="leaflet__c")
    sent = {"name__v": "From a template", "lifecycle__v": "short__c"}
    made = await user.post(DOCUMENTS, data=form(None, "", fromTemplate=name, **sent))
    assert made.status == "SUCCESS", made.text
    found = await document(user, made.body["id"])
    assert (found["type__v"], found["subtype__v"]) == ("Promotion", "Leaflet")
    assert found["filename__v"] == "letter.html"
    below = {"type__v": "promotion__c", "subtype__v": "leaflet__c"}
    other = {"type__v": "email_template__v"}
    kinds = (
        (below, "SUCCESS"),
        (other, "FAILURE"),
        ({"type__v": "promotion__c"}, "FAILURE"),
    )
    for levels, status in kinds:
        answer = await user.post(
            DOCUMENTS, data=form(None, "", fromTemplate=name, **sent, **levels)
        )
        assert answer.status == status, answer.text
    with_file = form(b"own", "own.html", fromTemplate=name, **sent)
    assert (await user.post(DOCUMENTS, data=with_file)).error == "INVALID_DATA"
    await admin.put(f"{TEMPLATES}/{name}", data={"active__v": "false"})
    idle = await user.post(DOCUMENTS, data=form(None, "", fromTemplate=name, **sent))
    assert idle.error == "INVALID_DATA"


async def test_events_of_a_document_are_logged_and_listed(
    admin: Api, user: Api
) -> None:
    metadata = "/metadata/objects/documents/events"
    (event,) = (await user.get(metadata)).body["events"]
    assert event["name"] == "distribution__v"
    subtype = f"{metadata}/distribution__v/types/approved_email__v"
    assert event["subtypes"][0]["value"].endswith(subtype)
    described = await user.get(subtype)
    needed = {p["name"] for p in described.body["properties"] if p.get("required")}
    assert needed == EVENT.keys()
    assert (await user.get(f"{metadata}/other__v/types/clm__v")).error == "INVALID_DATA"
    document_id = await created(user)
    own = f"{DOCUMENTS}/{document_id}"
    assert (await user.get(f"{own}/events")).body["events"] == []
    logged = await user.post(f"{own}/versions/0/1/events", data=EVENT)
    assert logged.body == {"responseStatus": "SUCCESS"}
    view = {**EVENT, "event_subtype__v": "clm__v", "classification__v": "view__v"}
    del view["user_email__v"], view["external_id__v"]
    await user.post(f"{own}/versions/0/1/events", data=view)
    first, second = (await user.get(f"{own}/events")).body["events"]
    assert (first["name"], first["label"]) == (
        "download__v",
        "Approved Email Download",
    )
    shown = first["properties"]
    assert shown["event_type__v"] == "Distribution Event"
    assert shown["user_email__v"] == EVENT["user_email__v"]
    assert (shown["major_version_number__v"], shown["document_id__v"]) == (
        0,
        document_id,
    )
    assert "user_email__v" not in second["properties"]
    trail = await admin.get(f"{own}/audittrail?limit=10")
    values = {row["new_value"] for row in trail.data if row["field_name"] == "event"}
    assert "distribution__v.clm__v.view__v" in values


NO_EVENTS: tuple[tuple[dict[str, str], str], ...] = (
    ({"event_subtype__v": "fax__v"}, "INVALID_DATA"),
    ({"classification__v": ""}, "PARAMETER_REQUIRED"),
    ({"classification__v": "burn__v"}, "INVALID_DATA"),
    ({"external_id__v": ""}, "PARAMETER_REQUIRED"),
    ({"user_email__v": "nobody"}, "INVALID_DATA"),
    ({"note__c": "x"}, "ATTRIBUTE_NOT_SUPPORTED"),
)


@pytest.mark.parametrize(("fields", "error"), NO_EVENTS)
async def test_what_is_no_event_is_refused(
    user: Api, fields: dict[str, str], error: str
) -> None:
    own = f"{DOCUMENTS}/{await created(user)}/versions"
    assert (await user.post(f"{own}/0/1/events", data=EVENT | fields)).error == error
    assert (await user.post(f"{own}/9/9/events", data=EVENT)).error == "INVALID_DATA"


async def tokens(user: Api, *ids: int, **fields: str) -> list[dict[str, Any]]:
    sent = {"docIds": ",".join(map(str, ids)), **fields}
    answer = await user.post(f"{DOCUMENTS}/tokens", data=sent)
    assert answer.status == "SUCCESS", answer.text
    return list(answer.body["tokens"])


async def test_tokens_are_given_out_for_documents(admin: Api, user: Api) -> None:
    known = await created(user)
    found, unknown = await tokens(user, known, 999_999_999, expiryDateOffset="90")
    assert found.keys() == {"document_id__v", "token__v"}
    vault, _, secret = found["token__v"].partition("-")
    assert vault.isdigit()
    assert len(secret) == 36
    assert unknown == {
        "document_id__v": 999_999_999,
        "errorType": "OPERATION_NOT_ALLOWED",
        "errors": [
            {"type": "INVALID_DOCUMENT", "message": "Document not found [999999999]."}
        ],
    }
    (draft,) = await tokens(user, known, steadyState="true")
    assert draft["errors"][0]["type"] == "INVALID_STATE"
    trail = await admin.get(f"{DOCUMENTS}/{known}/audittrail?limit=10")
    assert "document_token" in {row["field_name"] for row in trail.data}


async def seen(
    api: Api, token: str, use: str = "", number: int = 0
) -> tuple[int, Any, str]:
    """The answer to a client without a session: status, headers and text."""
    parameters = {"token": token, "document": str(number)}
    path = "/ui/approved_viewer"
    if use:
        path, parameters = f"{path}/file", {**parameters, "use": use}
    async with api.http.get(api.url + path, params=parameters) as answer:
        return answer.status, answer.headers, await answer.text()


async def test_the_bearer_of_a_token_sees_the_version_that_it_is_for(
    api: Api, admin: Api, user: Api
) -> None:
    first = await created(user, b"%PDF-1 steady", "page.pdf", name__v="Steady & <b>")
    await run(user, first, "0/1", "approve__v")
    await user.post(f"{DOCUMENTS}/{first}", data=form(b"%PDF-1 draft", "page.pdf"))
    second = await created(user, b"<script>run()</script>", "letter.html")
    group = {"tokenGroup": f"group_{key()}".replace("-", "_").replace("__", "_")}
    sent = {"downloadOption": "source", "steadyState": "true", **group}
    (steady,) = await tokens(user, first, **sent)
    (other,) = await tokens(user, second, downloadOption="none", **group)
    token = steady["token__v"]
    status, headers, page = await seen(api, token)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert "Steady &amp; &lt;b&gt;" in page
    assert (await document(user, second))["name__v"] in page
    assert "Download the source file" in page
    assert "Download as PDF" not in page
    status, headers, text = await seen(api, token, "view")
    assert (status, text) == (200, "%PDF-1 steady")
    assert "Content-Disposition" not in headers
    assert headers["Cache-Control"] == "no-store"
    assert (await seen(api, token, "source"))[2] == "%PDF-1 steady"
    # Neither what the token does not offer, nor a file that a browser would run, nor what is not of its group.
    for use, number in (("pdf", 0), ("view", 1), ("source", 1), ("view", 2)):
        assert (await seen(api, token, use, number))[0] == 400
    assert (await seen(api, token, number=1))[0] == 200
    await admin.delete(f"{DOCUMENTS}/{first}")
    refusals = {
        (await seen(api, each))[2].partition("<main")[2]
        for each in (token, f"{token[:-1]}x", token.upper(), "", "1-2")
    }
    assert len(refusals) == 1
    assert (await seen(api, other["token__v"]))[0] == 200


async def test_a_token_ends(api: Api, vault: Vault, user: Api) -> None:
    (found,) = await tokens(user, await created(user, b"%PDF-1", "page.pdf"))
    token = found["token__v"]
    assert (await seen(api, token))[0] == 200
    async with vault.database.connection() as connection:
        held = await connection.fetch("SELECT * FROM platform.document_token")
        assert token not in str(held)
        await connection.execute(
            "UPDATE platform.document_token SET expires = now() WHERE document_id = $1",
            found["document_id__v"],
        )
    assert (await seen(api, token))[0] == 400
    await vault.document_tokens.purge()
    assert (await seen(api, token))[0] == 400


NO_TOKENS: tuple[tuple[dict[str, str], str], ...] = (
    ({"docIds": ""}, "PARAMETER_REQUIRED"),
    ({"docIds": "1,x"}, "INVALID_DATA"),
    ({"expiryDateOffset": "0"}, "INVALID_DATA"),
    ({"expiryDateOffset": "3651"}, "INVALID_DATA"),
    ({"downloadOption": "all"}, "INVALID_DATA"),
    ({"tokenGroup": "a__b"}, "INVALID_DATA"),
    ({"tokenGroup": "a b"}, "INVALID_DATA"),
    ({"docIds": ",".join(["1"] * 501)}, "INVALID_DATA"),
)


@pytest.mark.parametrize(("fields", "error"), NO_TOKENS)
async def test_a_call_that_asks_for_no_token_is_refused(
    user: Api, fields: dict[str, str], error: str
) -> None:
    answer = await user.post(f"{DOCUMENTS}/tokens", data={"docIds": "1", **fields})
    assert answer.error == error


async def test_fields_that_documents_have_in_common(user: Api) -> None:
    path = "/metadata/objects/documents/properties/find_common"
    first, second = (
        await created(user),
        await created(user, type__v="promotion__c", lifecycle__v="short__c"),
    )
    answer = await user.post(path, data={"docIds": f"{first},{second}"})
    fields = {each["name"]: each for each in answer.body["properties"]}
    assert fields["rank__c"]["definedIn"] == "base_document__v"
    assert fields["rank__c"]["shared"] is False
    every = await user.get("/metadata/objects/documents/properties")
    assert every.body["properties"] == answer.body["properties"]
    of_type = await user.get("/metadata/objects/documents/types/promotion__c")
    assert of_type.body["properties"] == answer.body["properties"]
    named = {"setOnCreateOnly", "noCopy", "secureRelationship", "definedInType"}
    assert named <= fields["rank__c"].keys()
    unknown = await user.post(path, data={"docIds": "999999999"})
    assert unknown.error == "INVALID_DATA"
    assert (await user.post(path, data={})).error == "PARAMETER_REQUIRED"
