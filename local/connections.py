"""Establishes the standard connection of two Vaults, by the steps of an administrator."""

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
    """One side of a connection: an administrator's client of the Vault, and the connection's API name there."""

    client: VaultClient
    connection: str = STANDARD

    async def record(self) -> Row:
        """Return ``id``, ``state__v`` and ``remote_vault_id__sys`` of the connection's record.

        :raises SystemFailed: the Vault has no such connection.
        """
        found = await self.client.query(FIND.format(self.connection))
        if not found.rows:
            raise SystemFailed(f"a Vault has no connection {self.connection}")
        return found.rows[0]

    async def state(self) -> str:
        """Return the lifecycle state of the connection's record."""
        record = await self.record()
        value = record["state__v"]
        # The API answers picklist fields as lists.
        if isinstance(value, list):
            value = value[0]
        return str(value)


async def establish(issuer: End, other: End) -> bool:
    """Activate a connection that is Pending on either side; return whether anything was changed.

    A connection that an administrator has inactivated stays inactive.

    :raises SystemFailed: a Vault refused, or does not answer.
    """
    try:
        ends = issuer, other
        states = [await end.state() for end in ends]
        pending = PENDING in states
        if not pending or not set(states) <= {PENDING, ACTIVE}:
            return False
        # A start that was cut off may have left one side active.
        for end, state in zip(ends, states, strict=True):
            if state == ACTIVE:
                await _release(end)
        # Two signed documents: the issuer's file, and the acceptance that the other side answers it with.
        file = await issuer.client.connection_file(issuer.connection)
        uploaded = await other.client.upload_connection_file(file, other.connection)
        acceptance = mapping(uploaded["acceptance"], "acceptance")
        await issuer.client.upload_connection_file(acceptance)
    except VaultRefused as refused:
        raise SystemFailed(
            f"the connection cannot be established: {refused.type}: {refused.message}"
        ) from refused
    except ClientError as error:
        raise SystemFailed(f"the connection cannot be established: {error}") from error
    return True


async def ensure_copy(copy: End, name: str, remote_vault_id: int) -> None:
    """Duplicate the standard connection for one more Vault, unless the copy exists.

    :raises SystemFailed: the Vault refused, or does not answer.
    """
    try:
        existing = await copy.client.query(FIND.format(copy.connection))
        if not existing.rows:
            await copy.client.duplicate_connection(
                STANDARD,
                name,
                copy.connection,
                remote_vault_id,
            )
    except ClientError as error:
        raise SystemFailed(f"the connection cannot be duplicated: {error}") from error


async def _release(end: End) -> None:
    """Bring an Active connection back to Pending."""
    record = await end.record()
    record_id = str(record["id"])
    # There is no direct way from Active to Pending in the lifecycle.
    steps = (
        "active_state__sys.inactivate__sys",
        "inactive_state__sys.establish_again__sys",
    )
    for step in steps:
        action = f"{ACTION}.{step}"
        await end.client.run_action("connection__sys", record_id, action)


def _client(vault: str) -> VaultClient:
    """Return a client by the variables ``{vault}_URL``, ``{vault}_USERNAME`` and ``{vault}_PASSWORD``.

    :raises KeyError: one of the variables is not set.
    """
    url = os.environ[f"{vault}_URL"]
    username = os.environ[f"{vault}_USERNAME"]
    password = os.environ[f"{vault}_PASSWORD"]
    return VaultClient(url, username, password, client_id=CLIENT_ID)


async def _establish() -> bool:
    async with _client("CRM") as crm, _client("MEDICAL") as medical:
        end = End(medical, os.environ.get("MEDICAL_CONNECTION") or STANDARD)
        if end.connection != STANDARD:
            # The Vault's id, which the copy is made for, is known from a sign-in.
            await crm.sign_in()
            await ensure_copy(
                end, f"Medical-CRM Connection {crm.vault_id}", crm.vault_id
            )
        return await establish(End(crm), end)


def main() -> int:
    """Establish the connection of the Vaults in the environment, as Compose does once; return 0 when it is active.

    ``MEDICAL_CONNECTION`` names a copy of the standard connection, which is made when it is missing.
    """
    try:
        done = asyncio.run(_establish())
    except KeyError as error:
        print(f"the environment lacks {error.args[0]}", file=sys.stderr)
        return 2
    except SystemFailed as error:
        print(error, file=sys.stderr)
        return 1
    if done:
        print("the connection is established")
    else:
        print("the connection was already established")
    return 0


if __name__ == "__main__":
    sys.exit(main())
