"""A form is carried out once, even if it is sent again: by a double click, a reload, a second tab, an old page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.service.vault.browsing import Browser, browser
from tests.service.vault.objects import key
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
        page = await other.press(theirs, "Save", name__v=name)
    # It is neither carried out nor led to a record that its sender may not see.
    assert "OPERATION_NOT_ALLOWED" in page.text
    assert len(await named(user, name)) == 1
