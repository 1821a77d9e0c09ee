"""Documents on pages: created from a file, found, moved to states, checked out, assigned to roles, downloaded."""

from __future__ import annotations

from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.people import new_user
from tests.service.vault.served import USERNAMES, Api


async def created(visitor: Browser, name: str, content: bytes) -> Page:
    """Create a document with a file on the page."""
    page = await visitor.click(await visitor.open("/ui/documents"), "Create")
    # The form, with what send_file does not fill in.
    page.form("Save").fields |= {
        "name__v": name,
        "document_type": page.form("Save").options["document_type"]["Email Template"],
    }
    page = await visitor.send_file(page, "Save", content, "letter.html")
    assert "The Document was created." in page.text, page.text
    return page


async def test_a_document_goes_its_way(api: Api, admin: Api) -> None:
    name = f"Letter {key()}"
    async with browser(api.url, "admin") as visitor:
        page = await created(visitor, name, b"<p>One</p>")
        path = page.path
        assert name in page.text and "Version 0.1" in page.text
        for label in ("Created By", "Version Created By", "Last Modified By"):
            assert f"{label} {USERNAMES['admin']}" in page.text, page.text
        assert (await visitor.open(page.links["Download"])).body == b"<p>One</p>"

        listed = await visitor.open("/ui/documents")
        listed = await visitor.press(listed, "Search", q=name)
        assert listed.links[name] == path
        for states, found in (("Draft", True), ("Approved", False)):
            params = {"status__v": states, "type__v": "Email Template"}
            narrowed = await visitor.open("/ui/documents", params=params)
            assert (name in narrowed.text) is found, states

        page = await visitor.press(page, "Check out")
        assert "Checked out by you" in page.text
        page = await visitor.send_file(page, "Create draft", b"<p>Two</p>", "two.html")
        assert "Version 0.2" in page.text and "Checked out" not in page.text
        page = await visitor.press(page, "Approve")
        assert "Version 1.0" in page.text and "Approved" in page.text
        old = await visitor.click(page, "Version 0.1")
        assert "This is not the latest version." in old.text
        assert (await visitor.open(old.links["Download"])).body == b"<p>One</p>"

        user_id, username = await new_user(admin)
        page = await visitor.open(path)
        page = await visitor.press(page, "Assign", role="Viewer", user=str(user_id))
        assert "The role was assigned." in page.text and username in page.text
        page = await visitor.press(page, "Remove")
        assert "The role was removed." in page.text and username not in page.text

        page = await visitor.send_file(page, "Attach", b"more", "more.txt")
        assert (await visitor.open(page.links["more.txt"])).body == b"more"


async def test_missing_values_of_a_document_are_errors_at_their_fields(
    api: Api,
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/documents/new")
        page = await visitor.press(page, "Save", subject__v="Kept")
        assert page.status == 400
        told = {each["name"] for _, each in page.tags if "aria-invalid" in each}
        assert "document_type" in told
        assert page.form("Save").fields["subject__v"] == "Kept"
        chosen = page.form("Save").options["document_type"]["Email Template"]
        page = await visitor.press(page, "Save", document_type=chosen)
        told = {each["name"] for _, each in page.tags if "aria-invalid" in each}
        assert page.status == 400 and told == {"name__v"}


async def test_what_one_may_not_do_with_a_document_is_not_offered(
    api: Api, admin: Api
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await created(visitor, f"Letter {key()}", b"One")
        path = page.path
        await visitor.press(page, "Check out")
    async with browser(api.url, "user") as rep:
        page = await rep.open(path)
        assert "Checked out by User" in page.text
        assert "Undo check-out" not in page.text and "Create draft" not in page.text
    async with browser(api.url, "integration") as reader:
        assert (await reader.open(path)).status == 200


async def test_a_refused_form_names_its_fields_as_the_page_does(api: Api) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/documents/new")
        page = await visitor.send_file(page, "Save", b"", "")
        assert page.status == 400 and "[document_type]" not in page.text
        assert "is required. PARAMETER_REQUIRED" in page.text
        page = await visitor.open("/ui/users/new")
        page = await visitor.press(page, "Save", user_first_name__v="x" * 81)
        assert page.status == 400 and "[user_" not in page.text
