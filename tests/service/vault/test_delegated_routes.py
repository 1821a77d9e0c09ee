"""The rights of a delegate, by every route of a Vault: the table is complete, and each entry is true."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.service.vault.delegated_calls import (
    DENIED,
    UNDONE_BY,
    Calls,
    entries,
    routes,
)
from tests.service.vault.people import as_user, new_user
from tests.service.vault.routes_of_the_delegator import AS_THE_DELEGATOR
from tests.service.vault.routes_refused_to_delegates import BUSINESS_DATA, REFUSED
from tests.service.vault.served import Api

# Whoever changes their records changes who has access, or what the Vault is connected with.
PLATFORM = ("user__sys", "connection__sys", "integration__sys", "vault_package__v")
Acting = Callable[[], Awaitable[Calls]]


@pytest.fixture(scope="module")
async def delegator(admin: Api, api: Api) -> tuple[int, Api]:
    """A System Admin, who may call every route."""
    user_id, name = await new_user(admin, security_profile__v="system_admin__v")
    return user_id, await as_user(api, name)


@pytest.fixture(scope="module")
async def known(admin: Api, vault: Vault) -> dict[str, str]:
    """The parameters of paths that only this Vault has."""
    known = {"vault_id": str(vault.vault_id)}
    for name in ("connection", "integration"):
        found = await admin.query(f"SELECT id FROM {name}__sys")
        known[f"{name}s"] = found.data[0]["id"]
    return known


@pytest.fixture(scope="module")
async def acting(
    admin: Api, api: Api, delegator: tuple[int, Api], known: dict[str, str]
) -> Acting:
    """Open a delegated session in the System Admin's name, for a business user."""
    user_id, granting = delegator
    delegate, name = await new_user(admin)
    fields = {"delegate_userid": str(delegate)}
    assert (await granting.post("/services/delegations", data=fields)).status
    session = await as_user(api, name)

    async def opened() -> Calls:
        fields = {"vault_id": known["vault_id"], "delegator_userid": str(user_id)}
        answer = await session.post("/delegation/login", data=fields)
        assert answer.status == "SUCCESS", answer.text
        delegated = Api(api.http, api.url, answer.body["delegated_sessionid"])
        return Calls(delegated, known)

    return opened


@pytest.fixture(scope="module")
async def delegate(acting: Acting) -> Calls:
    """A delegated session in the System Admin's name."""
    return await acting()


@pytest.fixture(scope="module")
def in_person(delegator: tuple[int, Api], known: dict[str, str]) -> Calls:
    """A session of the System Admin's own."""
    return Calls(delegator[1], known)


def test_every_route_has_one_entry(vault: Vault) -> None:
    tables = (REFUSED, BUSINESS_DATA, AS_THE_DELEGATOR)
    listed = [route for table in tables for route in entries(table)]
    assert sorted(listed) == sorted(routes(create_app(vault)))


@pytest.mark.parametrize("route", entries(REFUSED))
async def test_a_delegate_is_refused(
    route: str, delegate: Calls, in_person: Calls, known: dict[str, str]
) -> None:
    chapter = route.split("/")[2]
    # A page of a connection or an integration looks for the record first.
    values = {"record_id": known[chapter]} if chapter in known else {}
    refused = await delegate.play(route, **values)
    assert DENIED.search(refused), refused
    # The route itself is open to the user, in whose name the delegate acts.
    assert "sufficient privileges" not in await in_person.play(route, **values)
    if route in UNDONE_BY:
        await in_person.play(UNDONE_BY[route])


@pytest.mark.parametrize("route", entries(BUSINESS_DATA))
async def test_a_delegate_works_on_business_data_alone(
    route: str, delegate: Calls
) -> None:
    assert not DENIED.search(await delegate.play(route, object_name="thing__c"))
    for name in PLATFORM:
        refused = await delegate.play(route, object_name=name)
        assert DENIED.search(refused), (name, refused)


@pytest.mark.parametrize("route", entries(AS_THE_DELEGATOR))
async def test_a_delegate_does_what_the_user_does(route: str, acting: Acting) -> None:
    # In a session of its own, as some of the routes end it.
    own = await acting()
    assert not DENIED.search(await own.play(route, object_name="thing__c"))
