"""Signing in and out in the browser; what every page must and must not contain."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

from shared.vault.assembly.vault import Vault
from shared.vault.security.sessions import digest
from tests.service.vault.browsing import browser
from tests.service.vault.objects import key
from tests.service.vault.people import new_user
from tests.service.vault.served import PASSWORD, USERNAMES, Api


async def test_sign_in_leads_back_to_the_page_that_was_asked_for(api: Api) -> None:
    async with browser(api.url) as visitor:
        page = await visitor.sign_in(
            USERNAMES["admin"], path="/ui/objects/thing__c?page=2"
        )
        assert (page.status, str(page.url.relative())) == (
            200,
            "/ui/objects/thing__c?page=2",
        )


@pytest.mark.parametrize("path", ["/", "/ui"])
async def test_the_address_of_the_vault_leads_to_its_pages(api: Api, path: str) -> None:
    async with browser(api.url, "user") as visitor:
        page = await visitor.open(path)
        assert (page.status, page.path) == (200, "/ui/")


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/ui/",
        "//elsewhere.example/ui/",
        "/api/",
        "/ui/\\\\x",
        "javascript:1",
        "/ui/\u00e9",
    ],
)
async def test_sign_in_leads_to_pages_of_this_vault_only(api: Api, target: str) -> None:
    async with browser(api.url) as visitor:
        form = await visitor.open("/ui/sign-in", params={"next": target})
        page = await visitor.press(
            form, "Sign in", username=USERNAMES["user"], password=PASSWORD, next=target
        )
        assert str(page.url) == f"{api.url}/ui/"


async def test_a_wrong_password_is_an_error_type_and_not_stored(api: Api) -> None:
    async with browser(api.url) as visitor:
        page = await visitor.sign_in(USERNAMES["user"], "not the password")
        assert page.status == 401
        assert "USERNAME_OR_PASSWORD_INCORRECT" in page.text
        assert page.form("Sign in").fields["username"] == USERNAMES["user"]
        assert "not the password" not in page.html


async def test_the_cookie_is_for_this_site_and_no_script(
    api: Api, vault: Vault
) -> None:
    async with browser(api.url) as visitor:
        form, values = visitor.filled(
            await visitor.open("/ui/sign-in"),
            "Sign in",
            {"username": USERNAMES["user"], "password": PASSWORD},
        )
        for headers, secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
            async with visitor._http.post(
                api.url + form.action,
                data=values,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                cookie = answer.cookies[f"vault_{vault.vault_id}_session"]
                assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (
                    True,
                    "strict",
                    "/ui",
                )
                assert bool(cookie["secure"]) is secure
            visitor._http.cookie_jar.update_cookies(
                {f"vault_{vault.vault_id}_visitor": values["token"]}, URL(api.url)
            )
            form, values = visitor.filled(
                await visitor.open("/ui/sign-in"),
                "Sign in",
                {"username": USERNAMES["user"], "password": PASSWORD},
            )


async def test_each_sign_in_is_a_session_of_its_own_and_sign_out_ends_it(
    api: Api, vault: Vault
) -> None:
    name = f"vault_{vault.vault_id}_session"
    async with browser(api.url, "user") as visitor:
        first = visitor.cookies()[name]
        page = await visitor.sign_in(USERNAMES["user"], path="/ui/sign-in")
        second = visitor.cookies()[name]
        assert first != second
        page = await visitor.press(page, "Sign out")
        assert page.path == "/ui/sign-in"
        answer = await api.get("/vobjects/thing__c", headers={"Authorization": second})
        assert answer.error == "INVALID_SESSION_ID"


async def test_an_ended_session_leads_to_the_sign_in_and_back(
    api: Api, vault: Vault
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/queues/out__c")
        session = visitor.cookies()[f"vault_{vault.vault_id}_session"]
        await api.delete("/session", headers={"Authorization": session})
        page = await visitor.press(page, "Disable Delivery")
        assert page.path == "/ui/sign-in"
        page = await visitor.press(
            page, "Sign in", username=USERNAMES["admin"], password=PASSWORD
        )
        assert page.path == "/ui/queues/out__c"
        assert "Disable Delivery" in page.text  # nothing was done without a session


async def test_what_was_typed_outlives_the_session(api: Api, vault: Vault) -> None:
    name, note = key(), "two\nlines & <b>more</b>"
    async with browser(api.url, "user") as visitor:
        form = await visitor.open("/ui/objects/thing__c/new")
        session = visitor.cookies()[f"vault_{vault.vault_id}_session"]
        await api.delete("/session", headers={"Authorization": session})
        page = await visitor.press(form, "Save", name__v=name, note__c=note)
        assert "Your session has ended" in page.text
        # A wrong password loses nothing either.
        page = await visitor.press(
            page, "Sign in", username=USERNAMES["user"], password="wrong"
        )
        assert page.status == 401
        page = await visitor.press(
            page, "Sign in", username=USERNAMES["user"], password=PASSWORD
        )
        assert "has not been sent yet" in page.text
        page = await visitor.press(page, "Send it now")
        assert f"{name} New" in page.text
        edited = await visitor.click(page, "Edit")
        assert edited.form("Save").fields["note__c"] == note


async def test_what_was_typed_outlives_a_sign_out_in_another_tab(api: Api) -> None:
    name = key()
    async with browser(api.url, "user") as visitor:
        form = await visitor.open("/ui/objects/thing__c/new")
        await visitor.press(await visitor.open("/ui/"), "Sign out")
        page = await visitor.press(form, "Save", name__v=name)
        page = await visitor.press(
            page, "Sign in", username=USERNAMES["user"], password=PASSWORD
        )
        page = await visitor.press(page, "Send it now")
        assert f"{name} New" in page.text


async def test_what_another_site_sends_is_not_kept(api: Api) -> None:
    async with browser(api.url, "user") as visitor:
        await visitor.press(await visitor.open("/ui/"), "Sign out")
        for headers in (
            {"Origin": "https://elsewhere.example"},
            {"Referer": f"https://elsewhere.example/{api.url}/"},
            {"Origin": f"{api.url}.elsewhere.example"},
            {},
        ):
            page = await visitor.request(
                "POST",
                "/ui/objects/thing__c/new",
                data={"name__v": "theirs"},
                headers=headers,
            )
            assert "has ended" not in page.text and "theirs" not in page.html


async def test_a_page_that_draws_itself_anew_keeps_no_session_alive(
    api: Api, vault: Vault
) -> None:
    used = "SELECT used_date FROM platform.session WHERE token_hash = $1"
    age = """UPDATE platform.session SET used_date = now() - interval '5 minutes'
        WHERE token_hash = $1 RETURNING used_date"""
    async with browser(api.url, "user") as visitor:
        key_ = digest(visitor.cookies()[f"vault_{vault.vault_id}_session"])
        async with vault.database.connection() as connection:
            aged = await connection.fetchval(age, key_)
            page = await visitor.open("/ui/", headers={"HX-Request": "true"})
            assert page.status == 200
            assert await connection.fetchval(used, key_) == aged
            await visitor.open("/ui/")
            assert await connection.fetchval(used, key_) > aged


async def test_a_form_without_any_session_is_not_read(api: Api) -> None:
    async with browser(api.url) as stranger:
        data = {"name__v": "x"}
        page = await stranger.request("POST", "/ui/objects/thing__c/new", data=data)
        assert page.path == "/ui/sign-in" and "has ended" not in page.text


async def test_a_password_that_has_to_be_changed_is_changed_first(
    api: Api, admin: Api
) -> None:
    _, username = await new_user(admin, user_needs_to_change_password__v="true")
    async with browser(api.url) as visitor:
        page = await visitor.sign_in(username)
        assert "PASSWORD_CHANGE_REQUIRED" in page.text
        page = await visitor.click(page, "Change the password")
        words = {
            "username": username,
            "password": PASSWORD,
            "new_password": "nineteen lemon ladders",
            "repeated": "other word",
        }
        page = await visitor.press(page, "Change the password", **words)
        assert "The new password and its repetition differ. INVALID_DATA" in page.text
        page = await visitor.press(
            page,
            "Change the password",
            **{**words, "repeated": "nineteen lemon ladders"},
        )
        page = await visitor.press(
            page, "Sign in", username=username, password="nineteen lemon ladders"
        )
        assert (page.status, page.path) == (200, "/ui/")


@pytest.mark.parametrize(
    "path",
    ["/ui/", "/ui/sign-in", "/ui/nothing", "/ui/connections", "/ui/static/style.css"],
)
async def test_every_answer_forbids_inline_scripts_and_other_hosts(
    api: Api, path: str
) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open(path)
    policy = dict(
        part.split(" ", 1)
        for part in page.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert (
        policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        and policy["form-action"] == "'self'"
    )
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == (
        "no-cache" if "static" in path else "no-store"
    )
    for tag, given in page.tags:
        assert (
            (tag != "script" or given["src"].startswith("/ui/static/"))
            and "style" not in given
            and not [name for name in given if name.startswith("on")]
        )
        assert not [
            value
            for name, value in given.items()
            if name in ("src", "href", "action") and "//" in value
        ]


async def test_faults_are_pages_that_say_what_to_do_and_their_type_last(
    api: Api,
) -> None:
    async with browser(api.url, "admin") as visitor:
        for path, status, told in (
            ("/ui/nothing", 404, "There is no page at this address. MALFORMED_URL"),
            (
                "/ui/sign-out",
                405,
                "only submitted forms, not GET. METHOD_NOT_SUPPORTED",
            ),
            (
                "/ui/objects/nothing__c",
                400,
                "There is no object [nothing__c]. INVALID_DATA Go back",
            ),
            (
                "/ui/objects/thing__c?page=nothing",
                400,
                "The address has an invalid value for [page]. INVALID_DATA",
            ),
            (
                "/ui/objects/thing__c/0000",
                400,
                "The resource [0000] does not exist. INVALID_DATA",
            ),
            (
                "/ui/queues/nothing__v",
                400,
                "There is no queue [nothing__v]. INVALID_DATA",
            ),
        ):
            page = await visitor.open(path)
            assert (page.status, told in page.text) == (status, True), page.text
            assert ("Sign out" in page.text) is (
                "objects" in path or "queues" in path
            )  # unknown paths have no menu


async def test_pages_are_no_part_of_the_api(api: Api) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{api.url}/openapi.json") as answer,
    ):
        assert not [
            path for path in (await answer.json())["paths"] if path.startswith("/ui")
        ]
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{api.url}/ui", allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (307, "/ui/")


async def test_a_session_of_the_api_alone_opens_no_page(api: Api, admin: Api) -> None:
    async with browser(api.url) as visitor:
        page = await visitor.open(
            "/ui/", headers={"Authorization": admin.session_id or ""}
        )
        assert page.path == "/ui/sign-in"
