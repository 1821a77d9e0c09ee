"""Users read their notifications: the bell on pages, lists, marks as read."""

from __future__ import annotations

from tests.service.vault import notifying
from tests.service.vault.browsing import Page, browser
from tests.service.vault.notifying import QUIET, deploy, tale
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

tales = notifying.tales


async def test_a_bell_on_every_page_counts_what_is_unread(api: Api, admin: Api) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    _, reader = await new_user(admin)
    as_reader = await as_user(api, reader)
    first, second, third = [await tale(as_reader) for _ in range(3)]
    path = "/vobjects/tale__c/actions/Objectaction.tale__c.tell__c"
    sent = {"ids": f"{first},{second},{third}"}
    assert (await as_reader.post(path, data=sent)).status == "SUCCESS"

    def bell(page: Page) -> str:
        (link,) = [given for _, given in page.tags if given.get("class") == "bell"]
        assert link["href"] == "/ui/notifications"
        return link["aria-label"]

    async with browser(api.url) as visitor:
        await visitor.sign_in(reader)
        for address in ("/ui/", "/ui/jobs", "/ui/objects"):
            page = await visitor.open(address)
            assert bell(page) == "Notifications, 3 unread"
        page = await visitor.open("/ui/notifications")
        assert page.links["Told"].startswith("/ui/objects/tale__c/")
        (newest, *_) = [
            each["id"] for each in (await as_reader.get("/services/notifications")).data
        ]
        one = next(form for form in page.forms if "notification" in form.fields)
        assert one.fields["notification"] == str(newest)
        data = {"token": one.fields["token"], "notification": str(newest)}
        page = await visitor.request("POST", one.action, data=data)
        assert "Marked 1 notification as read" in page.text
        assert bell(page) == "Notifications, 2 unread"
        page = await visitor.request("POST", one.action, data=data)
        assert "Marked 0 notifications as read" in page.text
        page = await visitor.open("/ui/notifications?unread=true")
        assert page.text.count("Mark as read") == 2
        page = await visitor.press(page, "Mark all as read")
        assert bell(page) == "Notifications"
        empty = await visitor.open("/ui/notifications?unread=true")
        assert "No unread notifications" in empty.text
        wrong = {**data, "notification": "x"}
        page = await visitor.request("POST", one.action, data=wrong)
        assert "INVALID_DATA" in page.text and page.status < 500


async def test_reading_ones_notifications(api: Api, admin: Api, user: Api) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    _, reader = await new_user(admin)
    as_reader = await as_user(api, reader)
    ids = [await tale(as_reader) for _ in range(3)]
    path = "/vobjects/tale__c/actions/Objectaction.tale__c.tell__c"
    assert (await as_reader.post(path, data={"ids": ",".join(ids)})).status == "SUCCESS"
    first = await as_reader.get("/services/notifications?limit=2")
    assert first.body["responseDetails"] == {
        "total": 3,
        "unread": 3,
        "limit": 2,
        "offset": 0,
        "size": 2,
    }
    second = await as_reader.get("/services/notifications?limit=2&offset=2")
    newest = [each["id"] for each in first.data + second.data]
    assert newest == sorted(newest, reverse=True) and {
        e["body"] for e in first.data
    } == {"Again: A tale"}

    assert (
        await as_reader.put("/services/notifications", data={"ids": str(newest[0])})
    ).data == {"changed": 1}
    unread = await as_reader.get("/services/notifications?unread=true")
    assert [each["id"] for each in unread.data] == newest[1:]
    assert (
        await user.put("/services/notifications", data={"ids": str(newest[1])})
    ).data == {"changed": 0}
    assert (
        await as_reader.put("/services/notifications", data={"ids": "all"})
    ).data == {"changed": 2}
    assert (
        await as_reader.put(
            "/services/notifications", data={"ids": "all", "read": "false"}
        )
    ).data == {"changed": 3}
    for fields, error in [
        ({}, "PARAMETER_REQUIRED"),
        ({"ids": "x"}, "INVALID_DATA"),
        ({"ids": "1", "read": "perhaps"}, "INVALID_DATA"),
        ({"ids": "1", "colour": "red"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ]:
        assert (
            await as_reader.put("/services/notifications", data=fields)
        ).error == error
