"""The home page: its content by user, and its links."""

from __future__ import annotations

import re

from yarl import URL

from shared.vault.admin.rendering import TEMPLATES
from tests.service.vault.browsing import browser
from tests.service.vault.objects import key, outcomes
from tests.service.vault.served import Api

# Parts of other elements, and of forms that somebody sends.
NOT_ALONE = {"counted", "offered", "once", "origin", "record_input", "refusal", "token"}
NOT_ALONE |= {"elsewhere", "error_attributes", "reviewed", "value_of"}


async def test_an_administrator_sees_how_the_vault_stands(api: Api, admin: Api) -> None:
    error = {
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "open__sys",
    }
    await admin.post(
        "/vobjects/exception_message__sys", json=[{"message_id__sys": key(), **error}]
    )
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/")
        assert page.links["New Case Request"] == "/ui/objects/case_request__v/new"
        assert "Connections Name Lifecycle State Status Remote Vault Name" in page.text
        assert "Medical-CRM Connection" in page.links
        assert (
            "Active integrations Name Connection Last Successful Run Time" in page.text
        )
        assert "Spark Queues Queue Type Messages Waiting since" in page.text
        assert "Latest jobs" in page.text and page.links["All jobs"] == "/ui/jobs"
        listed = next(
            label for label in page.links if "open User Exception Message" in label
        )
        assert (await visitor.click(page, listed)).path == "/ui/exceptions"
        assert (
            await visitor.click(page, "Case Requests")
        ).path == "/ui/objects/case_request__v"


async def test_others_see_what_they_may_work_with(api: Api) -> None:
    async with browser(api.url, "user") as visitor:
        page = await visitor.open("/ui/")
        assert "Case Requests" in page.links and "All records" in page.links
        assert (
            "Active integrations" not in page.text
            and "Spark Queues" not in page.text
            and "User Exception Message" not in page.text
        )


async def test_what_waits_in_a_queue_is_seen_with_its_age(api: Api, admin: Api) -> None:
    script = """RECREATE Queue lagging__c ( label('Lagging'), type('outbound'),
      Queueconnection medical_crm__v ( connection_name('medical_crm__v'), connection_type('vault_to_vault__sys'),
        deliver_to_queue('elsewhere__c') ) );
    RECREATE Object lagging__c ( label('Lagging'), prefix('ZLG'), Objectaction send__c ( label('Send'),
      action('send_message'), queue('lagging__c'), integration_point('any__c'), event('sent') ) );"""
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    await admin.put("/services/queues/lagging__c/actions/disable_delivery")
    ids = (await admin.post("/vobjects/lagging__c", json=[{"name__v": key()}])).ids
    async with browser(api.url, "admin") as visitor:
        assert "Lagging Outbound 0" in (await visitor.open("/ui/")).text
        await admin.post(
            f"/vobjects/lagging__c/{ids[0]}/actions/Objectaction.lagging__c.send__c"
        )
        page = await visitor.open("/ui/")
        assert re.search(
            r"Lagging Outbound 1 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page.text
        ), page.text
    await admin.put("/services/queues/lagging__c/actions/reset")


async def test_the_patterns_are_made_of_every_macro_of_the_pages(api: Api) -> None:
    async with browser(api.url, "user") as visitor:
        page = await visitor.open("/ui/patterns")
    assert page.status == 200
    tags = {tag for tag, _ in page.tags}
    assert tags >= {"fieldset", "select", "textarea", "progress", "svg", "time", "dl"}
    text = (TEMPLATES / "patterns.html").read_text()
    macros = re.findall(r"{% macro (\w+)\(", (TEMPLATES / "macros.html").read_text())
    shown = {name for name in macros if f"m.{name}(" in text}
    assert set(macros) - shown == NOT_ALONE


REQUESTS = "/vobjects/case_request__v"


async def _requests(agent: Api, *rows: dict[str, str]) -> list[str]:
    """Case Requests, each of a Case of its own."""
    cases = (await agent.post("/vobjects/case__v", json=[{}] * len(rows))).ids
    filled = [{"case__v": case, **row} for case, row in zip(cases, rows, strict=True)]
    return (await agent.post(REQUESTS, json=filled)).ids


async def test_an_agent_takes_a_request_gives_it_away_and_begins(
    api: Api, user: Api, admin: Api
) -> None:
    (request,) = await _requests(user, {"question__v": "May it be halved?"})
    path = f"/ui/objects/case_request__v/{request}"
    name = (
        await user.query(f"SELECT name__v FROM case_request__v WHERE id = '{request}'")
    ).data[0]["name__v"]
    async with browser(api.url, "user") as agent:
        assert (
            name
            in (await agent.open("/ui/objects/case_request__v?list=unassigned")).text
        )
        page = await agent.press(await agent.open(path), "Start Work")
        assert name in (await agent.open("/ui/objects/case_request__v?list=mine")).text
        # Colleagues are named, though an agent may not read their records.
        colleague = "Connection User"
        page = await agent.press(page, "Assign", assigned_to__v=colleague)
        assert f"Assigned To {colleague}" in page.text
        assert (
            name in (await agent.open("/ui/objects/case_request__v?list=others")).text
        )
        page = await agent.press(page, "Assign to Me")
        assert name in (await agent.open("/ui/objects/case_request__v?list=mine")).text
        # Cancel asks first.
        assert f"Cancel {name}?" in page.text


async def test_what_was_typed_into_a_refused_action_is_left_in_its_form(
    api: Api, user: Api
) -> None:
    (request,) = await _requests(user, {"question__v": "May it be warmed?"})
    path = f"/ui/objects/case_request__v/{request}"
    async with browser(api.url, "user") as agent:
        page = await agent.press(await agent.open(path), "Start Work")
        long = {"response_package_link__v": "x" * 1501}
        page = await agent.press(page, "Close", response_notes__v="Up to 40 °C", **long)
        assert page.status == 400 and "Response Package Link" in page.text
        page = await agent.press(page, "Close", response_package_link__v="")
        assert "The action Close was run." in page.text and "Up to 40 °C" in page.text


async def test_an_action_that_another_tab_has_run_leads_back_to_the_record(
    api: Api, user: Api
) -> None:
    (request,) = await _requests(user, {"question__v": "May it be shaken?"})
    path = f"/ui/objects/case_request__v/{request}"
    async with browser(api.url, "user") as agent:
        one, other = await agent.open(path), await agent.open(path)
        await agent.press(one, "Start Work")
        page = await agent.press(other, "Start Work")
        assert page.path == path and "is not offered any more" in page.text
        assert "Ask an administrator" not in page.text and "In Progress" in page.text


async def test_earlier_answers_are_shown_next_to_a_question(
    api: Api, user: Api
) -> None:
    word = f"zyx{key()}"
    before, other = await _requests(
        user,
        {"question__v": f"May {word} be crushed?"},
        {"question__v": "May it be frozen?"},
    )
    for request, notes in ((before, "Never crush it."), (other, "It stays liquid.")):
        await user.put(REQUESTS, json=[{"id": request, "response_notes__v": notes}])
        for action in ("new_state__v.start_work__v", "in_progress_state__v.close__v"):
            name = f"Objectlifecyclestateuseraction.case_request__v.{action}"
            answer = await user.post(f"{REQUESTS}/{request}/actions/{name}")
            assert answer.status == "SUCCESS", answer.text
    (now,) = await _requests(user, {"question__v": f"Can one crush {word.upper()}?"})
    async with browser(api.url, "user") as agent:
        page = await agent.open(f"/ui/objects/case_request__v/{now}")
        assert "Answered before" in page.text and "Never crush it." in page.text
        assert "It stays liquid." not in page.text


async def test_a_question_of_long_words_is_opened_like_others(
    api: Api, user: Api
) -> None:
    """Of compounds and pasted addresses, which are more than a search phrase takes."""
    compounds = [f"{'Arzneimittelwechselwirkung' * 2}{n}" for n in range(12)]
    question = " ".join([*compounds, "x" * 300])
    (request,) = await _requests(user, {"question__v": question})
    async with browser(api.url, "user") as agent:
        page = await agent.open(f"/ui/objects/case_request__v/{request}")
        assert page.status == 200 and compounds[-1] in page.text


async def test_a_record_shows_the_latest_of_those_that_refer_to_it(
    api: Api, user: Api
) -> None:
    """The questions of a Case, each with its own page, and another one begun with the Case filled in."""
    (case,) = (await user.post("/vobjects/case__v", json=[{}])).ids
    asked = [{"case__v": case, "question__v": f"Question {n}?"} for n in range(6)]
    await user.post(REQUESTS, json=asked)
    path = f"/ui/objects/case__v/{case}"
    async with browser(api.url, "user") as agent:
        page = await agent.open(path)
        shown = [n for n in range(6) if f"Question {n}?" in page.text]
        assert len(shown) == 5, page.text
        every = await agent.click(page, "All Case Requests")
        assert "Question 0?" in every.text and "Question 5?" in every.text
        new = page.links["New Case Request"]
        assert new == f"/ui/objects/case_request__v/new?case__v={case}"
        # A list that stands there is not named once more.
        assert "Case Requests (Case)" not in page.links


async def test_what_has_come_since_the_last_visit_is_marked(
    api: Api, user: Api
) -> None:
    await _requests(user, {"question__v": "May it be frozen?"})
    async with browser(api.url, "user") as agent:
        cookies = agent._http.cookie_jar
        assert " new" not in (await agent.open("/ui/")).text
        (looked,) = (each for each in cookies if each.key.endswith("_looked"))
        # The agent looked last long before the request came.
        number, _, _ = looked.value.partition("|")
        long_ago = f"{number}|-|2020-01-02T03:04:05+00:00"
        cookies.update_cookies({looked.key: long_ago}, URL(f"{api.url}/ui/"))
        # Looking again is the same visit.
        for page in (await agent.open("/ui/"), await agent.open("/ui/")):
            assert re.search(r"\d+\+? Unassigned \d+ new", page.text), page.text


async def test_requests_show_who_asked_and_are_narrowed_by_product_urgency_and_age(
    api: Api, user: Api
) -> None:
    word = key()
    (contact,) = (
        await user.post("/vobjects/person__sys", json=[{"name__v": f"Maribel {word}"}])
    ).ids
    cases = [
        {"case_contact__v": contact, "priority__v": "high__v"},
        {"case_contact__v": contact, "priority__v": "normal__v"},
    ]
    ids = (await user.post("/vobjects/case__v", json=cases)).ids
    rows = [
        {
            "case__v": ids[0],
            "question__v": f"{word} urgent",
            "email__v": "m@example.org",
        },
        {
            "case__v": ids[1],
            "question__v": f"{word} calm",
            "phone_number__v": "555 0100",
        },
    ]
    assert outcomes(await user.post(REQUESTS, json=rows)) == ["SUCCESS"] * 2
    path = "/ui/objects/case_request__v"
    async with browser(api.url, "user") as agent:
        page = await agent.open(f"{path}?list=unassigned")
        # Each list is one click away, and is narrowed further there.
        assert page.links["Mine"] == f"{path}?list=mine"
        page = await agent.press(page, "Search", q=word)
        assert f"Maribel {word} m@example.org" in page.text, page.text
        assert f"Maribel {word} 555 0100" in page.text
        urgent = await agent.press(page, "Filter", urgency="High")
        assert f"{word} urgent" in urgent.text and f"{word} calm" not in urgent.text
        assert "Unassigned." in urgent.text
        old = await agent.press(page, "Filter", age="Over a day")
        assert f"{word} urgent" not in old.text and f"{word} calm" not in old.text
        download = await agent.open(f"{urgent.url.path_qs}&format=csv")
        assert f"Maribel {word},".encode() in download.body
        home = await agent.open("/ui/")
        assert "Question Asked by Product Priority Created Date" in home.text
