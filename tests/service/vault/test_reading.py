"""A value is shown only to callers who may read its record, by every route."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import pytest

from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.components.permission_types import Grant
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.browsing import browser
from tests.service.vault.pages_without_values import PAGES_WITHOUT_VALUES
from tests.service.vault.people import as_user, new_user
from tests.service.vault.planting import (
    DOCUMENT,
    MARKERS,
    PERSON,
    RECORD,
    STAGED,
    Planted,
    body_of,
    planted,
    unpacked,
)
from tests.service.vault.profiles import (
    execute,
    name,
    permission_set,
    security_profile,
)
from tests.service.vault.route_callers import ROUTES
from tests.service.vault.route_parameters import VALUES
from tests.service.vault.routes_with_values import DOORS, ORACLES, PAGE_DOORS, Door
from tests.service.vault.routes_without_values import WITHOUT_VALUES
from tests.service.vault.served import USERNAMES, Api, served, settings, started
from tests.service.vault.test_page_roles import PAGES, _route
from tests.service.vault.vault_databases import vault_database

GRANTS = frozenset(grant.value for grant in Grant)
ALL_AND_OBJECT = "every grant, and an object that refers"


@dataclass(frozen=True)
class Profile:
    """Grants, and operations by object."""

    grants: frozenset[str] = frozenset()
    entries: Mapping[str, str] | None = None

    @property
    def entitled(self) -> set[str]:
        """The markers that the profile may read."""
        objects = self.entries or {}
        found: set[str] = set()
        if "secret__c" in objects:
            found.add(RECORD)
        if "documents" in objects:
            found.add(DOCUMENT)
        # To see everyone's files is what this permission is; who did what, what an audit trail is.
        if "manage_staging" in self.grants:
            found.add(STAGED)
        if "user__sys" in objects or "users" in objects or "read_audit" in self.grants:
            found.add(PERSON)
        return found


PROFILES = {
    **{grant: Profile(frozenset({grant})) for grant in sorted(GRANTS)},
    **{
        name: Profile(entries={name: "r"})
        for name in ("secret__c", "documents", "user__sys", "exception_item__sys")
    },
    "open__c": Profile(entries={"open__c": "rced"}),
    "every grant": Profile(GRANTS),
    ALL_AND_OBJECT: Profile(GRANTS, {"open__c": "rced"}),
}


@pytest.fixture(scope="module")
async def api(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    """A Vault only for this module, in which no other test writes."""
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        own = settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("files"))
        # Notifications have e-mail; no server takes it.
        posting = own.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": 9})
        vault = Vault(MEDICAL_VAULT, posting)
        async with served(create_app(vault)) as client:
            await started(vault)
            yield client


@pytest.fixture(scope="module")
async def admin(api: Api) -> Api:
    return await api.signed_in("admin")


@pytest.fixture(scope="module")
async def garden(admin: Api) -> Planted:
    return await planted(admin)


@pytest.fixture(scope="module")
async def usernames(admin: Api) -> dict[str, str]:
    """A user of each profile."""
    script, named = "", {}
    for each, profile in PROFILES.items():
        own = named[each] = name()
        entries = profile.entries or {}
        script += permission_set(own, set(profile.grants), entries)
        script += security_profile(own, own)
    made = await execute(admin, script)
    assert made.status == "SUCCESS", made.text
    found = {}
    for each, own in named.items():
        _, found[each] = await new_user(admin, security_profile__v=own)
    return found


async def tell(admin: Api, garden: Planted, reader: Api) -> None:
    """Notify a user about a record that refers to a planted one."""
    me = (await reader.get("/objects/users/me")).body["users"][0]["user"]
    row = {
        "name__v": "Open",
        "secret__c": garden.values["secret"],
        "reader__c": str(me["id"]),
    }
    (record,) = (await admin.post("/vobjects/open__c", json=[row])).ids
    answer = await admin.post(
        f"/vobjects/open__c/{record}/actions/Objectaction.open__c.tell__c"
    )
    assert answer.status == "SUCCESS", answer.text


def calls(doors: Mapping[str, tuple[Door, ...]]) -> Iterator[tuple[str, Door]]:
    """Verb and door of each call."""
    for route, of_route in doors.items():
        for door in of_route:
            yield route.partition(" ")[0], door


def markers(text: str) -> set[str]:
    return {marker for marker in MARKERS if marker in text}


Found = dict[tuple[str, Door], set[str]]


async def found_by(api: Api, garden: Planted) -> Found:
    """The markers that the API shows, by verb and door."""
    found: Found = {}
    for method, door in calls(DOORS):
        text = await body_of(api, method, garden.path(door.path), **door.options)
        found[method, door] = markers(text)
    return found


async def found_on_pages(url: str, username: str, garden: Planted) -> Found:
    """The markers that the pages show."""
    found: Found = {}
    async with browser(url) as visitor:
        page = await visitor.sign_in(username)
        assert page.status == 200, page.text
        for method, door in calls(PAGE_DOORS):
            address = f"{url}/ui{garden.path(door.path)}"
            async with visitor._http.request(method, address) as answer:
                content = await answer.read()
                found[method, door] = markers(unpacked(content))
    return found


def unseen(found: Found) -> list[tuple[str, Door]]:
    return [at for at, shown in found.items() if at[1].marker not in shown]


def beyond(found: Found, profile: Profile) -> Found:
    """The values that were shown although the profile may not read them."""
    return {
        at: shown - profile.entitled
        for at, shown in found.items()
        if shown - profile.entitled
    }


def test_every_route_shows_values_by_a_door_or_says_why_it_shows_none() -> None:
    """The routes of route_callers and test_page_roles, which tests prove to be complete."""
    for routes, doors, others in (
        (set(ROUTES), DOORS, WITHOUT_VALUES),
        ({_route(page) for page in PAGES}, PAGE_DOORS, PAGES_WITHOUT_VALUES),
    ):
        shut = [route for of_reason in others.values() for route in of_reason]
        assert sorted([*doors, *shut]) == sorted(routes)


async def test_every_door_shows_what_is_planted_to_those_who_may_read_it(
    admin: Api, garden: Planted
) -> None:
    await tell(admin, garden, admin)
    assert unseen(await found_by(admin, garden)) == []
    pages = await found_on_pages(admin.url, USERNAMES["admin"], garden)
    assert unseen(pages) == []


@pytest.mark.parametrize("who", PROFILES)
async def test_no_door_shows_what_one_may_not_read(
    admin: Api, garden: Planted, usernames: dict[str, str], who: str
) -> None:
    profile = PROFILES[who]
    reader = await as_user(admin, usernames[who])
    await tell(admin, garden, reader)
    assert beyond(await found_by(reader, garden), profile) == {}
    pages = await found_on_pages(admin.url, usernames[who], garden)
    assert beyond(pages, profile) == {}


async def test_routes_listed_as_showing_no_value_show_none(
    admin: Api, garden: Planted, usernames: dict[str, str]
) -> None:
    """Asked about planted records, by a user with every grant."""
    reader = await as_user(admin, usernames[ALL_AND_OBJECT])
    own = garden.values
    values = {
        **VALUES,
        "object_name": "secret__c",
        "record_id": own["secret"],
        "document_id": own["document_id"],
        "package_id": own["package_id"],
        "attachment_id": own["attachment_id"],
        "job_id": own["load"],
    }
    profile = PROFILES[ALL_AND_OBJECT]
    shown: dict[str, set[str]] = {}
    for route in sorted(route for each in WITHOUT_VALUES.values() for route in each):
        method, _, template = route.partition(" ")
        if method != "GET":
            continue
        text = await body_of(reader, "GET", template.format(**values) or "/api/v25.1")
        if markers(text) - profile.entitled:
            shown[route] = markers(text)
    assert shown == {}


@pytest.mark.parametrize("statement", ORACLES)
async def test_no_result_depends_on_what_one_may_not_read(
    admin: Api, garden: Planted, usernames: dict[str, str], statement: str
) -> None:
    reader = await as_user(admin, usernames[ALL_AND_OBJECT])
    answer = await reader.query(statement)
    assert answer.status == "FAILURE", answer.text
    assert answer.error in ("INSUFFICIENT_ACCESS", "INVALID_DATA"), answer.text
    assert markers(answer.text) == set()
