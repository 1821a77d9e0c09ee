"""Establishes the standard connection of two Vaults, by the steps that an administrator takes."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass

from local.failure import SystemFailed
from shared.client import ClientError, VaultClient, VaultRefused
from shared.client.results import Row, mapping

CLIENT_ID = "medical-crm-setup"
STANDARD = "medical_crm__v"
PENDING, ACTIVE = "pending_state__sys", "active_state__sys"
ACTION = "Objectlifecyclestateuseraction.connection__sys"
FIND = "SELECT id, state__v, remote_vault_id__sys FROM connection__sys WHERE api_name__sys = '{}'"


@dataclass(frozen=True, slots=True)
class End:
    """One side of a connection: the Vault, as an administrator, and the connection's API name there."""

    client: VaultClient
    connection: str = STANDARD

    async def record(self) -> Row:
        """The connection's record: ``id``, ``state__v`` and ``remote_vault_id__sys``."""
        rows = (await self.client.query(FIND.format(self.connection))).rows
        if not rows:
            raise SystemFailed(f"a Vault has no connection {self.connection}")
        return rows[0]

    async def state(self) -> str:
        """The lifecycle state that it is in."""
        value = (await self.record())["state__v"]
        return str(value[0]) if isinstance(value, list) else str(value)


async def establish(issuer: End, other: End) -> bool:
    """Make a connection active that is Pending on either side; whether there was anything to do.

    What an administrator has inactivated stays so.

    :raises SystemFailed: a Vault refused, or does not answer.
    """
    try:
        ends = issuer, other
        states = [await end.state() for end in ends]
        if PENDING not in states or not set(states) <= {PENDING, ACTIVE}:
            return False
        # A start that was cut off may have left one side active.
        for end, state in zip(ends, states, strict=True):
            if state == ACTIVE:
                await _release(end)
        file = await issuer.client.connection_file(issuer.connection)
        uploaded = await other.client.upload_connection_file(file, other.connection)
        await issuer.client.upload_connection_file(
            mapping(uploaded["acceptance"], "acceptance")
        )
    except VaultRefused as refused:
        raise SystemFailed(
            f"the connection cannot be established: {refused.type}: {refused.message}"
        ) from refused
    except ClientError as error:
        raise SystemFailed(f"the connection cannot be established: {error}") from error
    return True


async def have_copy(copy: End, name: str, remote_vault_id: int) -> None:
    """Duplicate the standard connection for one more Vault, unless that was done before.

    :raises SystemFailed: the Vault refused, or does not answer.
    """
    try:
        if not (await copy.client.query(FIND.format(copy.connection))).rows:
            await copy.client.duplicate_connection(
                STANDARD, name, copy.connection, remote_vault_id
            )
    except ClientError as error:
        raise SystemFailed(f"the connection cannot be duplicated: {error}") from error


async def _release(end: End) -> None:
    record_id = str((await end.record())["id"])
    await end.client.run_action(
        "connection__sys", record_id, f"{ACTION}.active_state__sys.inactivate__sys"
    )
    await end.client.run_action(
        "connection__sys",
        record_id,
        f"{ACTION}.inactive_state__sys.establish_again__sys",
    )


def _client(vault: str) -> VaultClient:
    """A client of the Vault whose address and administrator are in ``{VAULT}_URL``, ``_USERNAME``, ``_PASSWORD``."""
    url, username, password = (
        os.environ[f"{vault}_{name}"] for name in ("URL", "USERNAME", "PASSWORD")
    )
    return VaultClient(url, username, password, client_id=CLIENT_ID)


async def _establish() -> bool:
    async with _client("CRM") as crm, _client("MEDICAL") as medical:
        end = End(medical, os.environ.get("MEDICAL_CONNECTION") or STANDARD)
        if end.connection != STANDARD:
            await crm.sign_in()
            await have_copy(end, f"Medical-CRM Connection {crm.vault_id}", crm.vault_id)
        return await establish(End(crm), end)


def main() -> int:
    """Establish the connection of the Vaults in the environment, as compose does once; 0 when it is active.

    ``MEDICAL_CONNECTION`` names a copy of the standard connection, which is made when it is not there.
    """
    try:
        done = asyncio.run(_establish())
    except KeyError as error:
        print(f"the environment lacks {error.args[0]}", file=sys.stderr)
        return 2
    except SystemFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(
        "the connection is established"
        if done
        else "the connection was established before"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
