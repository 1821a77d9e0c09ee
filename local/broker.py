"""Creates virtual hosts, users and permissions on RabbitMQ through its management API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import aiohttp

from local.failure import SystemFailed

MEDICAL = "medical"
CRM = "crm"
CRM_2 = "crm2"
# Names that queues of a Vault may have; a sequential one has a queue of its own at the broker.
_QUEUES = r".*__(v|c|sys)(\.sequential)?"
# The exchanges between Vaults and connectors, and the dead letters.
_SPARK = r"spark\..*"


@dataclass(frozen=True, slots=True)
class Permission:
    """The patterns of the names that a user may configure, write to and read from in a virtual host."""

    configure: str
    write: str
    read: str


# Declaring a queue with a dead-letter exchange, and binding it, need all three on queue and exchange.
_OF_A_VAULT = Permission(*[f"^({_SPARK}|{_QUEUES})$"] * 3)
# A connector takes messages off queues, delivers to inbound ones by their exchange, and declares nothing.
_OF_A_CONNECTOR = Permission("^$", r"^spark\.inbound$", f"^{_QUEUES}$")
_OF_AN_ADMINISTRATOR = Permission(".*", ".*", ".*")

PERMISSIONS: Mapping[str, Mapping[str, Permission]] = {
    "medical_vault": {MEDICAL: _OF_A_VAULT},
    "crm_vault": {CRM: _OF_A_VAULT},
    "connector": {MEDICAL: _OF_A_CONNECTOR, CRM: _OF_A_CONNECTOR},
}

WITH_SECOND_CRM: Mapping[str, Mapping[str, Permission]] = {
    **PERMISSIONS,
    "crm_vault_2": {CRM_2: _OF_A_VAULT},
    "connector": {**PERMISSIONS["connector"], CRM_2: _OF_A_CONNECTOR},
}


async def prepare_broker(
    management_url: str,
    administrator: tuple[str, str],
    passwords: Mapping[str, str],
    users: Mapping[str, Mapping[str, Permission]] = PERMISSIONS,
) -> None:
    """Create virtual hosts, users and permissions through the management API; repeating it changes nothing.

    ``administrator`` is name and password; ``passwords`` has one for each of ``users``.

    :raises SystemFailed: the broker refused.
    :raises aiohttp.ClientError: the broker was not reached.
    """
    async with management_api(management_url, administrator) as session:
        vhosts: set[str] = set()
        for permissions in users.values():
            vhosts.update(permissions)
        for vhost in sorted(vhosts):
            await _put(session, "vhosts", vhost, body={})
            # The demo publishes as the administrator.
            everything = asdict(_OF_AN_ADMINISTRATOR)
            path = ("permissions", vhost, administrator[0])
            await _put(session, *path, body=everything)
        for username, permissions in users.items():
            # No tags: the services' users cannot sign in to the management console.
            body = {"password": passwords[username], "tags": ""}
            await _put(session, "users", username, body=body)
            for vhost, permission in permissions.items():
                path = ("permissions", vhost, username)
                await _put(session, *path, body=asdict(permission))


def management_api(
    management_url: str, administrator: tuple[str, str], seconds: float = 15.0
) -> aiohttp.ClientSession:
    """Return an HTTP session on the management API, signed in; a call takes ``seconds`` at most."""
    headers = {"Authorization": aiohttp.encode_basic_auth(*administrator)}
    timeout = aiohttp.ClientTimeout(total=seconds)
    return aiohttp.ClientSession(
        management_url,
        headers=headers,
        timeout=timeout,
    )


async def broker_answers(
    management_url: str, administrator: tuple[str, str]
) -> str | None:
    """Return None when the broker is up and has no alarm, else the reason why it is not."""
    try:
        async with (
            management_api(management_url, administrator, 5.0) as session,
            session.get("/api/health/checks/local-alarms") as answer,
        ):
            return None if answer.status == 200 else f"status {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__


async def _put(
    session: aiohttp.ClientSession, *path: str, body: Mapping[str, str]
) -> None:
    joined = "/".join(path)
    async with session.put(f"/api/{joined}", json=dict(body)) as answer:
        if answer.status >= 300:
            raise SystemFailed(f"RabbitMQ refused {joined}: status {answer.status}")
