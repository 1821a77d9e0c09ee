"""Response packages: put together of approved documents and a letter, and opened by a link without an account."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.documenting import DOCUMENTS, form
from tests.service.vault.objects import key, record
from tests.service.vault.served import Api
from tests.service.vault.test_api_delegation import GRANTS, login, pair

QUESTION = "Is it <b>stable</b> above 25 °C? ${name__v}"
APPROVE, WITHDRAW, EXPIRE = "approve__v", "withdraw__v", "expire__v"
MAKE = "Make the Response Package"
ACTIONS = "/vobjects/case_response__v/{}/actions/Objectaction.case_response__v.{}"


@dataclass
class Request:
    """A Case Request, by id and name."""

    id: str
    name: str


async def asked(agent: Api) -> Request:
    """A Case Request in progress."""
    case = (await agent.post("/vobjects/case__v", json=[{}])).ids[0]
    row = {"case__v": case, "question__v": QUESTION}
    request = (await agent.post("/vobjects/case_request__v", json=[row])).ids[0]
    shown = await record(agent, "case_request__v", request)
    return Request(request, shown["name__v"])


async def document(admin: Api, name: str, filename: str = "leaflet.pdf") -> int:
    """A draft of a document, whose file has its name."""
    fields = {"name__v": name, "type__v": "medical_response__v"}
    answer = await admin.post(DOCUMENTS, data=form(name.encode(), filename, **fields))
    assert answer.status == "SUCCESS", answer.text
    return int(answer.body["id"])


async def move(admin: Api, document_id: int, action: str, version: str) -> None:
    path = f"{DOCUMENTS}/{document_id}/versions/{version}/lifecycle_actions/{action}"
    answer = await admin.put(path)
    assert answer.status == "SUCCESS", answer.text


async def approved(admin: Api, name: str, filename: str = "leaflet.pdf") -> int:
    document_id = await document(admin, name, filename)
    await move(admin, document_id, APPROVE, "0/1")
    return document_id


async def add(agent: Browser, path: str, name: str) -> Page:
    page = await agent.press(await agent.open(path), "Find Documents", words=name)
    return await agent.press(page, "Add")


async def made(api: Api, admin: Api, names: list[str], letter: str = "") -> str:
    """The path of the link of a new package with these approved documents."""
    user = await api.signed_in("user")
    request = await asked(user)
    path = f"/ui/responses/{request.id}"
    async with browser(api.url, "user") as agent:
        for name in names:
            await add(agent, path, name)
        page = await agent.open(path)
        page = await agent.press(page, "Make the package", letter=letter)
        assert "The package is made." in page.text, page.text
    link = (await record(admin, "case_request__v", request.id))[
        "response_package_link__v"
    ]
    assert link.startswith("https://medical.vault.example/ui/answers/")
    path = urlsplit(link).path
    return str(path)


async def test_a_package_is_put_together_and_opened_without_an_account(
    api: Api, admin: Api
) -> None:
    user = await api.signed_in("user")
    request = await asked(user)
    first, second = f"First {key()}", f"Second {key()}"
    await approved(admin, first)
    await approved(admin, second, "table.xlsx")
    path = f"/ui/objects/case_request__v/{request.id}"
    async with browser(api.url, "user") as agent:
        page = await agent.click(await agent.open(path), "Response")
        await add(agent, page.path, first)
        page = await add(agent, page.path, second)
        at = page.path
        # A document is in a response once, and may be taken out again.
        page = await agent.press(await agent.open(at), "Find Documents", words=second)
        assert "Chosen" in page.text
        assert not any("Add" in each.labels for each in page.forms)
        third = f"Third {key()}"
        await approved(admin, third)
        page = await add(agent, at, third)
        last = [each for each in page.forms if "document" in each.fields][2]
        sent = {**last.fields, "step": "remove"}
        page = await agent.request("POST", at, data=sent)
        assert f"{third} was removed." in page.text
        # The second one before the first.
        moving = [each for each in page.forms if "document" in each.fields][1]
        sent = {**moving.fields, "step": "up"}
        page = await agent.request("POST", at, data=sent)
        assert page.text.index(second) < page.text.rindex(first)
        page = await agent.press(
            page, "Fill in", template="Answer to a Medical Inquiry"
        )
        letter = page.form("Save").fields["letter"]
        # What a record says is text: its tokens are none.
        assert QUESTION in letter and "${case__vr" not in letter
        page = await agent.press(page, "Preview")
        assert "Preview: the page as a recipient will see it" in page.text
        assert page.text.index(second) < page.text.index(first)
        assert (await agent.open(page.links[first])).body == first.encode()
        page = await agent.press(await agent.open(at), "Make the package")
        assert "The package is made." in page.text
        link = next(each for each in page.links if "/ui/answers/" in each)
    await is_served(api, str(urlsplit(link).path), first, second)


async def is_served(api: Api, door: str, first: str, second: str) -> None:
    """A recipient without an account sees the letter and two documents, the second one before the first."""
    async with browser(api.url, None) as recipient:
        page = await recipient.open(door)
        assert page.status == 200 and QUESTION in page.text
        assert "<b>stable" not in page.html
        assert page.headers["Cache-Control"] == "no-store"
        assert "noindex" in page.headers["X-Robots-Tag"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        shown = await recipient.click(page, first)
        assert shown.body == first.encode()
        assert shown.headers["Content-Disposition"].startswith("inline")
        saved = await recipient.click(page, second)
        assert saved.headers["Content-Disposition"].startswith("attachment")
        whole = await recipient.open(f"{door}/all")
        archive = zipfile.ZipFile(io.BytesIO(whole.body))
        assert archive.namelist() == [
            "Cover letter.txt",
            "01 table.xlsx",
            "02 leaflet.pdf",
        ]
        assert archive.read("01 table.xlsx") == second.encode()
        assert QUESTION in archive.read("Cover letter.txt").decode()
        head = await recipient.request("HEAD", door)
        assert (head.status, head.body) == (200, b"")


GONE = "There is nothing under this link"


async def test_without_an_open_link_nothing_is_shown(
    api: Api, admin: Api, vault: Vault
) -> None:
    revoked = await made(api, admin, [], "Dear all")
    expired = await made(api, admin, [], "Dear all")
    deleted = await made(api, admin, [], "Dear all")
    never = f"/ui/answers/{'A' * 43}"
    odd = "/ui/answers/%00%ff"
    rows = await admin.query(
        "SELECT id, response_package_link__v FROM case_response__v"
    )
    by_path = {
        urlsplit(row["response_package_link__v"] or "").path: row["id"]
        for row in rows.data
    }
    answer = await admin.post(
        ACTIONS.format(by_path[revoked], "revoke_response_package__v")
    )
    assert answer.status == "SUCCESS", answer.text
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.response_package SET expires_date = now() WHERE response_id = $1",
            by_path[expired],
        )
    await admin.delete("/vobjects/case_response__v", json=[{"id": by_path[deleted]}])
    async with browser(api.url, None) as recipient:
        pages = [
            await recipient.open(f"{path}{part}")
            for path in (revoked, expired, deleted, never, odd)
            for part in ("", "/all", "/1")
        ]
    assert {page.status for page in pages} == {404}
    assert {page.html for page in pages} == {pages[0].html}
    assert GONE in pages[0].text


async def test_a_package_stays_as_it_was_until_its_document_is_withdrawn(
    api: Api, admin: Api
) -> None:
    kept, withdrawn = f"Kept {key()}", f"Withdrawn {key()}"
    old = await approved(admin, kept)
    other = await approved(admin, withdrawn)
    door = await made(api, admin, [kept, withdrawn])
    # A newer version of the one, which is approved; the other is withdrawn.
    newer = await admin.post(f"{DOCUMENTS}/{old}", data=form(b"newer", "leaflet.pdf"))
    assert newer.status == "SUCCESS", newer.text
    await move(admin, old, APPROVE, "1/1")
    await move(admin, other, WITHDRAW, "1/0")
    async with browser(api.url, None) as recipient:
        page = await recipient.open(door)
        assert kept in page.links and withdrawn not in page.links
        assert "has been withdrawn or has expired" in page.text
        assert (await recipient.open(f"{door}/1")).body == kept.encode()
        assert (await recipient.open(f"{door}/2")).status == 404
        whole = await recipient.open(f"{door}/all")
        names = zipfile.ZipFile(io.BytesIO(whole.body)).namelist()
        assert names == ["01 leaflet.pdf"]
        # A withdrawn document takes its older versions with it.
        await move(admin, old, EXPIRE, "2/0")
        page = await recipient.open(door)
        assert kept not in page.links


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "neither a cover letter nor a document"),
        (
            {"expiration_date__v": "2020-01-01"},
            "The last day of a package's link is from",
        ),
        (
            {"expiration_date__v": "2999-01-01"},
            "The last day of a package's link is from",
        ),
    ],
)
async def test_a_package_that_cannot_be_made(
    user: Api, row: dict[str, str], message: str
) -> None:
    request = await asked(user)
    fields = {"case_request__v": request.id, **row}
    if row:
        fields["cover_letter__v"] = "Dear all"
    response = (await user.post("/vobjects/case_response__v", json=[fields])).ids[0]
    answer = await user.post(ACTIONS.format(response, "make_response_package__v"))
    assert answer.status == "FAILURE" and message in answer.text


async def test_only_what_is_approved_is_packed(user: Api, admin: Api) -> None:
    request = await asked(user)
    name = f"Draft {key()}"
    draft = await document(admin, name)
    row = {"case_request__v": request.id}
    response = (await user.post("/vobjects/case_response__v", json=[row])).ids[0]
    chosen = {
        "case_response__v": response,
        "name__v": name,
        "document_id__v": draft,
        "version_number__v": "0.1",
        "order__v": 1,
    }
    (row_id,) = (
        await user.post("/vobjects/fulfillment_document__v", json=[chosen])
    ).ids
    answer = await user.post(ACTIONS.format(response, "make_response_package__v"))
    assert answer.status == "FAILURE" and "is not approved" in answer.text
    path = f"/ui/objects/case_response__v/{response}"
    async with browser(user.url, "user") as agent:
        page = await agent.open(path)
        assert f"is not possible yet. [{name}], version 0.1, is not approved" in (
            page.text
        )
        assert not any(MAKE in each.labels for each in page.forms)
        await move(admin, draft, APPROVE, "0/1")
        approved_version = {"id": row_id, "version_number__v": "1.0"}
        await user.put("/vobjects/fulfillment_document__v", json=[approved_version])
        page = await agent.press(await agent.open(path), MAKE)
        assert f"The action {MAKE} was run." in page.text


async def test_an_empty_package_is_not_offered(api: Api, user: Api) -> None:
    request = await asked(user)
    row = {"case_request__v": request.id}
    response = (await user.post("/vobjects/case_response__v", json=[row])).ids[0]
    async with browser(api.url, "user") as agent:
        page = await agent.open(f"/ui/objects/case_response__v/{response}")
    assert "neither a cover letter nor a document" in page.text
    assert not any(MAKE in each.labels for each in page.forms)


async def test_a_package_that_a_delegate_makes_is_the_users_to_revoke(
    api: Api, admin: Api, vault: Vault
) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    granted = await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    acting = await login(session, vault, delegator)
    request = await asked(acting)
    row = {"case_request__v": request.id, "cover_letter__v": "Dear all"}
    response = (await acting.post("/vobjects/case_response__v", json=[row])).ids[0]
    answer = await acting.post(ACTIONS.format(response, "make_response_package__v"))
    assert answer.status == "SUCCESS", answer.text
    await granting.delete(f"{GRANTS}/{granted.data['id']}")
    shown = await record(granting, "case_response__v", response)
    door = str(urlsplit(shown["response_package_link__v"]).path)
    async with browser(api.url, None) as recipient:
        assert (await recipient.open(door)).status == 200
        revoked = ACTIONS.format(response, "revoke_response_package__v")
        assert (await granting.post(revoked)).status == "SUCCESS"
        assert (await recipient.open(door)).status == 404


async def test_what_is_kept_of_a_link(api: Api, admin: Api, vault: Vault) -> None:
    door = await made(api, admin, [], "Dear all")
    token = door.rpartition("/")[2]
    # 256 bits, in letters that need no escape.
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    async with browser(api.url, None) as recipient:
        for _ in range(3):
            await recipient.open(door)
        await recipient.request("HEAD", door)
    async with vault.database.connection() as connection:
        row = await connection.fetchrow(
            "SELECT p::text AS whole, response_id, openings FROM platform.response_package p ORDER BY id DESC LIMIT 1"
        )
    assert row is not None
    assert row["openings"] == 3 and token not in row["whole"]
    trail = await admin.get(
        f"/vobjects/case_response__v/{row['response_id']}/audittrail"
    )
    actions = [each["action"] for each in trail.body["data"]]
    assert "Make Response Package" in actions
    # So often at most as once a minute.
    assert actions.count("Open Response Package") == 1


@pytest.mark.parametrize("version", ["1.", ".1", "²", "²."])
async def test_a_version_that_is_none_is_refused(api: Api, version: str) -> None:
    user = await api.signed_in("user")
    request = await asked(user)
    row: dict[str, object] = {"case_request__v": request.id}
    response = (await user.post("/vobjects/case_response__v", json=[row])).ids[0]
    row = {"case_response__v": response, "name__v": "Leaflet", "order__v": 1}
    row |= {"document_id__v": 1, "version_number__v": version}
    added = await user.post("/vobjects/fulfillment_document__v", json=[row])
    assert added.ids
    async with browser(api.url, "user") as agent:
        for page in ("preview", "documents/1"):
            shown = await agent.open(f"/ui/responses/{request.id}/{page}")
            assert "UNEXPECTED_ERROR" not in shown.text, shown.text
            assert "INVALID_DATA" in shown.text, shown.text


@pytest.mark.parametrize(
    ("spoilt", "text", "shown"),
    [("file", "It has no file", False), ("approval", "It is not approved", True)],
)
async def test_a_document_that_cannot_be_sent_is_named_and_led_to(
    api: Api, user: Api, admin: Api, spoilt: str, text: str, shown: bool
) -> None:
    request = await asked(user)
    name = f"Leaflet {key()}"
    fields = {"name__v": name, "type__v": "medical_response__v"}
    content = None if spoilt == "file" else name.encode()
    answer = await admin.post(DOCUMENTS, data=form(content, "leaflet.pdf", **fields))
    document_id = int(answer.body["id"])
    await move(admin, document_id, APPROVE, "0/1")
    path = f"/ui/responses/{request.id}"
    async with browser(api.url, "user") as agent:
        page = await add(agent, path, name)
        if spoilt == "approval":
            await move(admin, document_id, WITHDRAW, "1/0")
            page = await agent.open(path)
        assert text in page.text, page.text
        assert page.links[name] == f"/ui/documents/{document_id}"
        # What would be refused is not offered.
        buttons = {label for each in page.forms for label in each.labels}
        assert not buttons & {"Preview", "Make the package"}
        # A page from before still has the button.
        for behind in ("preview", "documents/1"):
            answer_page = await agent.open(f"{path}/{behind}")
            assert answer_page.status == 200
            refused = f"There is no file of {name} to show" in answer_page.text
            assert refused is not shown, answer_page.text


@pytest.mark.parametrize("button", ["Save", "Preview", "Make the package"])
async def test_a_refused_letter_stays_in_its_form(
    api: Api, user: Api, button: str
) -> None:
    path = f"/ui/responses/{(await asked(user)).id}"
    letter = "Dear reader, see below."
    async with browser(api.url, "user") as agent:
        page = await agent.press(
            await agent.open(path), button, letter=letter, expires="tomorrow"
        )
        assert page.status == 400
        assert "INVALID_DATA" in page.text
        assert page.form(button).fields["letter"] == letter
        assert page.form(button).fields["expires"] == "tomorrow"
