"""Signs the person at the console in to a Vault for one command, and ends the command with a message on a fault."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from medcrm.configuration import ConfigurationFault
from shared.client import VaultClient
from shared.client.errors import ClientError

T = TypeVar("T")

PASSWORD = "MEDCRM_PASSWORD"  # noqa: S105  the name of the variable
# Exit statuses, as those of ``diff``, by which a script distinguishes a difference from a fault.
DIFFERENT = 1
FAILED = 2

Url = Annotated[
    str,
    typer.Option(
        "--url", help="Address of the Vault, such as https://vault.example.com."
    ),
]
Username = Annotated[
    str,
    typer.Option(
        "--username", help=f"User; the password comes from {PASSWORD} or is asked for."
    ),
]


def run_signed_in(
    url: str, username: str, work: Callable[[VaultClient], Awaitable[T]]
) -> T:
    """Sign in, do the work and sign out; a fault ends the command with a message."""
    # Never an option of the command: those show in the process list and the shell's history.
    password = os.environ.get(PASSWORD) or typer.prompt("Password", hide_input=True)

    async def session() -> T:
        async with VaultClient(url, username, password, client_id="medcrm") as client:
            try:
                return await work(client)
            finally:
                await client.sign_out()

    try:
        return asyncio.run(session())
    except (ConfigurationFault, ClientError, ValueError) as error:
        raise failed(error) from error


def failed(error: Exception) -> typer.Exit:
    """Write why a command failed, and return what ends it."""
    typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
    return typer.Exit(FAILED)
