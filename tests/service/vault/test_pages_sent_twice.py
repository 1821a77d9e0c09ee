"""A form is carried out once, even if it is sent again: by a double click, a reload, a second tab, an old page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.service.vault.browsing import Browser, browser
from tests.service.vault.objects import key
from tests.service.vault.people import new_user
from tests.service.vault.served import Api

TIMES = 5


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "user") as made:
        yield made


async def named(user: Api, name: str) -> list[object]:
    statement = f"SELECT id FROM thing__c WHERE name__v = '{name}'"
    found: list[object] = (await user.query(statement)).data
    return found


async def test_a_form_that_is_sent_many_times_at_once_makes_one_record(
    visitor: Browser, user: Api
) -> None:
    name = key()
    form = await visitor.open("/ui/objects/thing__c/new")
    sent = [visitor.press(form, "Save", name__v=name) for _ in range(TIMES)]
    pages = await asyncio.gather(*sent)
    assert len({page.path for page in pages}) == 1
    assert all(page.status == 200 and f"{name} New" in page.text for page in pages)
    assert len(await named(user, name)) == 1


async def test_a_form_that_is_sent_again_later_leads_where_it_has_led(
    visitor: Browser, user: Api
) -> None:
    name = key()
    form = await visitor.open("/ui/objects/thing__c/new")
    first = await visitor.press(form, "Save", name__v=name)
    again = await visitor.press(form, "Save", name__v=name)
    assert again.path == first.path
    assert len(await named(user, name)) == 1


async def test_each_form_that_is_opened_makes_a_record_of_its_own(
    visitor: Browser, user: Api
) -> None:
    name = key()
    paths = set()
    for _ in range(2):
        form = await visitor.open("/ui/objects/thing__c/new")
        page = await visitor.press(form, "Save", name__v=name)
        paths.add(page.path)
    assert len(paths) == len(await named(user, name)) == 2


async def test_a_form_that_was_refused_is_sent_again_with_its_mistake_mended(
    visitor: Browser, user: Api
) -> None:
    name = key()
    form = await visitor.open("/ui/objects/thing__c/new")
    wrong = await visitor.press(form, "Save", name__v=name, amount__c="many")
    assert wrong.status == 400
    # From the page that was refused, and from the first one by way of Back.
    page = await visitor.press(wrong, "Save", amount__c="2")
    assert f"{name} New" in page.text
    other = key()
    page = await visitor.press(form, "Save", name__v=other)
    assert f"{other} New" in page.text
    assert len(await named(user, name)) == len(await named(user, other)) == 1


async def test_a_button_that_is_pressed_twice_is_not_refused_the_second_time(
    visitor: Browser, user: Api
) -> None:
    rows = [{"name__v": key()}]
    (record_id,) = (await user.post("/vobjects/thing__c", json=rows)).ids
    page = await visitor.open(f"/ui/objects/thing__c/{record_id}")
    sent = [visitor.press(page, "Start", note__c="begun") for _ in range(TIMES)]
    for answer in await asyncio.gather(*sent):
        assert (answer.status, answer.path) == (200, page.path)
        assert "was run" in answer.text
        assert "Started" in answer.text


async def test_the_form_of_another_user_is_nobody_elses(
    visitor: Browser, api: Api, user: Api
) -> None:
    name = key()
    form = await visitor.open("/ui/objects/thing__c/new")
    await visitor.press(form, "Save", name__v=name)
    form_id = form.form("Save").fields["form_id"]
    async with browser(api.url, "admin") as other:
        theirs = await other.open("/ui/objects/thing__c/new")
        theirs.form("Save").fields["form_id"] = form_id
        # The form of an administrator has a field more.
        del theirs.form("Save").fields["link__sys"]
        page = await other.press(theirs, "Save", name__v=name)
    # It is neither carried out nor led to a record that its sender may not see.
    assert "OPERATION_NOT_ALLOWED" in page.text
    assert len(await named(user, name)) == 1


async def a_record(admin: Api) -> str:
    row = {"name__v": key()}
    (record_id,) = (await admin.post("/vobjects/thing__c", json=[row])).ids
    return f"/ui/objects/thing__c/{record_id}/edit"


async def a_user(admin: Api) -> str:
    user_id, _ = await new_user(admin)
    return f"/ui/users/{user_id}/edit"


async def a_group(admin: Api) -> str:
    made = await admin.post("/objects/groups", data={"label__v": f"Once {key()}"})
    return f"/ui/groups/{made.body['id']}/edit"


async def a_rule(admin: Api) -> str:
    name = f"{key().lower().replace('-', '_')}__c"
    script = (
        f"CREATE Integrationrule {name} (label('Rule'), connection('medical_crm__v'), "
        "integration_point('account_inbound__v'), primary_query_object('thing__v'), active(false));"
    )
    answer = await admin.post("/api/mdl/execute", data=script)
    assert answer.status == "SUCCESS", answer.text
    return f"/ui/rules/{name}/edit"


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (a_record, "note__c"),
        (a_user, "user_title__v"),
        (a_group, "group_description__v"),
        (a_rule, "label"),
    ],
)
async def test_of_forms_that_are_sent_at_once_one_is_saved(
    api: Api, admin: Api, made: Callable[[Api], Awaitable[str]], field: str
) -> None:
    path = await made(admin)
    async with browser(api.url, "admin") as visitor:
        form = await visitor.open(path)
        values = [f"Value {number}" for number in range(TIMES)]
        sent = [visitor.press(form, "Save", **{field: value}) for value in values]
        pages = await asyncio.gather(*sent)
        saved = [page for page in pages if "was saved." in page.text]
        refused = [page for page in pages if page.status == 409]
        assert (len(saved), len(refused)) == (1, TIMES - 1)
        # The form that was refused has what is stored now, and may be saved again.
        page = await visitor.press(refused[0], "Save", **{field: "Last"})
        assert "was saved." in page.text
        assert (await visitor.open(path)).form("Save").fields[field] == "Last"
