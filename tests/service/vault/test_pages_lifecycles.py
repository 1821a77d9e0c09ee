"""Lifecycles on pages: actions and criteria are added and removed by forms, reviewed as MDL, and executed."""

from __future__ import annotations

import pytest

from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.served import USERNAMES, Api

OBJECT = """
RECREATE Objectlifecycle staged_{own}__c (label('Staged {own}'), starting_state('open_state__c'),
    Objectlifecyclestate open_state__c (label('Open')),
    Objectlifecyclestate done_state__c (label('Done')),
    Objectlifecyclestateuseraction open_state__c.beside__c (
        label('Beside'), order(3), action('change_state'), next_state('done_state__c')));
RECREATE Object staged_{own}__c (label('Staged {own}'), lifecycle('Objectlifecycle.staged_{own}__c'));
"""


@pytest.fixture
async def own(admin: Api) -> str:
    """The name of an object with its own lifecycle."""
    own = key().lower().replace("-", "x")
    made = await admin.post("/api/mdl/execute", data=OBJECT.format(own=own))
    assert made.status == "SUCCESS", made.text
    return f"staged_{own}__c"


async def execute(visitor: Browser, page: Page) -> Page:
    """Execute the reviewed statements."""
    assert "Nothing has been executed yet" in page.text, page.text
    page = await visitor.press(page, "Execute")
    assert "Executed: " in page.text, page.text
    return page


async def state_actions(admin: Api, target: str, record: str) -> set[str]:
    answer = await admin.get(f"/vobjects/{target}/{record}/actions")
    return {each["label"] for each in answer.data}


async def test_a_user_action_is_added_run_and_removed(
    api: Api, admin: Api, own: str
) -> None:
    (record,) = (await admin.post(f"/vobjects/{own}", json=[{"name__v": "A"}])).ids
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open(f"/ui/lifecycles/{own}")
        page = await visitor.click(page, "Add User Action to Open")
        refused = await visitor.press(page, "Review")
        assert refused.status == 400
        page = await visitor.press(page, "Review", does="Move to Done", label="Finish")
        assert "Changed ALTER Objectlifecycle." in page.text
        # Nothing has changed until it is executed.
        assert await state_actions(admin, own, record) == {"Beside"}
        page = await execute(visitor, page)
        assert page.path == f"/ui/lifecycles/{own}"
        assert "Finish Moves to Done" in page.text
        assert await state_actions(admin, own, record) == {"Beside", "Finish"}
        # A second one of the same name is refused at the form, before any review.
        page = await visitor.click(page, "Add User Action to Open")
        again = await visitor.press(page, "Review", does="Move to Done", label="Finish")
        assert again.status == 400 and "finish__c" in again.text

        for label in ("Finish", "Beside"):
            page = await visitor.open(f"/ui/lifecycles/{own}")
            form = next(f for f in page.forms if f"/{label.lower()}__c/" in f.action)
            page = await visitor.request("POST", form.action, data=form.fields)
            await execute(visitor, page)
        assert await state_actions(admin, own, record) == set()


async def test_an_entry_action_asks_for_its_parameters_and_runs(
    api: Api, admin: Api, own: str
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open(f"/ui/lifecycles/{own}")
        page = await visitor.click(page, "Add Entry Action to Done")
        # Without scripts the parameters come with the first review.
        page = await visitor.press(page, "Review", does="Set a field")
        told = {each["name"] for _, each in page.tags if "aria-invalid" in each}
        assert page.status == 400 and told == {"field"}
        page = await visitor.press(page, "Review", field="Name", value="Renamed")
        page = await execute(visitor, page)
        assert "Sets Name to Renamed" in page.text
        # What a script asks for when the choice changes.
        address = f"/ui/lifecycles/{own}/done_state__c/entry-action"
        asked = await visitor.open(f"{address}?does=send_message")
        assert {"queue", "integration_point", "event"} <= set(asked.forms[-1].fields)
    (record,) = (await admin.post(f"/vobjects/{own}", json=[{"name__v": "A"}])).ids
    path = f"/vobjects/{own}/{record}"
    await admin.post(
        f"{path}/actions/Objectlifecyclestateuseraction.{own}.open_state__c.beside__c"
    )
    assert (await admin.get(path)).data["name__v"] == "Renamed"


async def test_a_notification_is_added_to_a_state_and_arrives(
    api: Api, admin: Api, own: str
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open(f"/ui/lifecycles/{own}")
        page = await visitor.click(page, "Add Notification to Open")
        refused = await visitor.press(page, "Review", body="Text")
        told = {each["name"] for _, each in refused.tags if "aria-invalid" in each}
        assert told == {"users", "subject"}
        wrong = await visitor.press(
            page,
            "Review",
            users=USERNAMES["admin"],
            subject="New ${nothing__c}",
            body="Text",
        )
        assert wrong.status == 400 and "nothing__c" in wrong.text
        page = await visitor.press(
            page,
            "Review",
            users=USERNAMES["admin"],
            subject="New: ${name__v}",
            body="Look at ${name__v}.",
            email="No",
        )
        await execute(visitor, page)
        await admin.post(f"/vobjects/{own}", json=[{"name__v": f"Of {own}"}])
        inbox = await visitor.open("/ui/notifications")
        assert f"New: Of {own}" in inbox.text


async def test_a_lifecycle_is_made_for_an_object(api: Api, admin: Api) -> None:
    own = f"bare_{key().lower().replace('-', 'x')}__c"
    script = f"RECREATE Object {own} (label('Bare {own}'));"
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    async with browser(api.url, "admin") as visitor:
        page = await visitor.click(await visitor.open("/ui/lifecycles"), "Create")
        refused = await visitor.press(page, "Review", label="", states="")
        told = {each["name"] for _, each in refused.tags if "aria-invalid" in each}
        assert told == {"label", "object", "states"}
        page = await visitor.press(
            page,
            "Review",
            label=f"Of {own}",
            object=own,
            states="New\nIn Work\n\nClosed",
        )
        assert "Created CREATE Objectlifecycle" in page.text
        assert f"Changed ALTER Object.{own}" in page.text
        page = await execute(visitor, page)
        assert "In Work in_work_state__c" in page.text
        (record,) = (await admin.post(f"/vobjects/{own}", json=[{"name__v": "A"}])).ids
        stored = (await admin.get(f"/vobjects/{own}/{record}")).data
        assert stored["state__v"] == ["new_state__c"]


async def test_a_script_is_shown_with_what_it_would_change(
    api: Api, admin: Api, own: str
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/components/mdl")
        script = (
            f"CREATE Picklist of_{own} (label('Of'), Picklistentry a__c (label('A')));"
            f"ALTER Picklist of_{own} (MODIFY Picklistentry a__c (label('B')));"
            f"DROP Picklist of_{own};"
            f"DROP Picklist IF EXISTS of_{own};"
        )
        shown = await visitor.press(page, "Review", mdl=script)
        outcomes = ("Created", "Changed", "Removed", "Nothing")
        assert all(each in shown.text for each in outcomes), shown.text
        assert "label('B')" in shown.text
        refused = await visitor.press(
            page,
            "Review",
            mdl=f"{script} ALTER Object {own} (lifecycle('Objectlifecycle.none__c'));",
        )
        assert "would be refused" in refused.text and "none__c" in refused.text
        # What would be refused is not offered to be executed.
        assert all("Execute" not in form.labels for form in refused.forms)


async def test_a_script_is_begun_from_what_there_is(
    api: Api, admin: Api, own: str
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/components/mdl")
        page = await visitor.press(page, "Add statement", of_type="Nothing")
        assert "There is no component type Nothing." in page.text
        page = await visitor.press(
            page, "Add statement", of_type="Object", of_name=own, of_part="label"
        )
        assert (
            f"ALTER Object {own} (\n    label('Staged"
            in page.form("Review").fields["mdl"]
        )
        # The objects that there are, and what one of them has.
        offered = {each.get("value") for tag, each in page.tags if tag == "option"}
        assert {own, "Objectlifecycle", "label_plural", "Field"} <= offered
        page = await visitor.press(
            page,
            "Add statement",
            of_command="RECREATE",
            of_type="Objectlifecycle",
            of_name="",
        )
        begun = page.form("Review").fields["mdl"]
        assert begun.endswith("RECREATE Objectlifecycle new__c (\n    label('')\n);\n")
        # What is begun is no more than text: it is reviewed like any other.
        page = await visitor.press(page, "Review")
        assert "would be refused" in page.text
