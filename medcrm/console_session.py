"""Signs the person at the console in to Vaults for one command, and ends the command with a message on a fault."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from medcrm.configuration import ConfigurationFault
from medcrm.outages import outage_of
from shared.client import VaultClient, errors
from shared.client.errors import ClientError, VaultRefused, VaultUnavailable
from shared.protocol.error_types import ErrorType

T = TypeVar("T")

PASSWORD = "MEDCRM_PASSWORD"  # noqa: S105  the name of the variable
REMOTE_PASSWORD = "MEDCRM_REMOTE_PASSWORD"  # noqa: S105  the name of the variable
# Exit statuses, as those of ``diff``, by which a script distinguishes a difference from a fault.
DIFFERENT = 1
FAILED = 2

Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="MEDCRM_URL",
        help="Address of the Vault, such as https://vault.example.com.",
    ),
]
Username = Annotated[
    str,
    typer.Option(
        "--username",
        envvar="MEDCRM_USERNAME",
        help=f"User; the password comes from {PASSWORD} or is asked for.",
    ),
]
RemoteUrl = Annotated[
    str,
    typer.Option(
        "--remote-url",
        envvar="MEDCRM_REMOTE_URL",
        help="Address of the Vault at the other end of the connection.",
    ),
]
RemoteUsername = Annotated[
    str,
    typer.Option(
        "--remote-username",
        envvar="MEDCRM_REMOTE_USERNAME",
        help=f"User there; the password comes from {REMOTE_PASSWORD} or is asked for.",
    ),
]


class ConsoleFault(Exception):
    """Raised when a command cannot go on; the text is for the person at the console."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a Vault; ``option`` names the address to the command, ``variable`` may have the password."""

    url: str
    username: str
    password: str
    option: str = "--url"
    variable: str = PASSWORD


def account(url: str, username: str) -> Account:
    """Return the user at the Vault of the command; ask for the password unless a variable has it."""
    # Never an option of the command: those show in the process list and the shell's history.
    password = os.environ.get(PASSWORD) or typer.prompt("Password", hide_input=True)
    return Account(url, username, password)


def remote_account(url: str, username: str) -> Account:
    """Return the user at the remote Vault; ask for the password unless a variable has it."""
    password = os.environ.get(REMOTE_PASSWORD)
    if not password:
        password = typer.prompt("Password at the other Vault", hide_input=True)
    return Account(url, username, password, "--remote-url", REMOTE_PASSWORD)


@contextmanager
def reaching(address: str, option: str, variable: str = "") -> Iterator[None]:
    """Convert faults of calls in the block to messages with the address and what to check.

    :raises ConsoleFault: there is no answer, or the answer is an error.
    """
    try:
        yield
    except VaultUnavailable as error:
        text = outage_of(error).text(option)
        raise ConsoleFault(f"{address}: {text}.") from error
    except VaultRefused as error:
        message = error.message.rstrip(".")
        advice = _advice(error, option, variable)
        # The advice precedes the type, which only reports of the error need.
        raise ConsoleFault(f"{address}: {message}. {advice}({error.type})") from error


@contextmanager
def addressed(url: str, option: str) -> Iterator[None]:
    """Convert a fault of the address to a message that names its option.

    :raises ConsoleFault: the address is no http or https address.
    """
    try:
        yield
    except ValueError as error:
        text = "an address starts with http:// or https://"
        raise ConsoleFault(f"{option}: [{url}] is none: {text}") from error


def _advice(error: VaultRefused, option: str, variable: str) -> str:
    """Return what to check after a refusal, with a space at its end; empty if its own text is sufficient."""
    match error.type:
        case ErrorType.USERNAME_OR_PASSWORD_INCORRECT if variable:
            return f"Check the user name, and the password in {variable}. "
        case ErrorType.INSUFFICIENT_ACCESS:
            return "Check the permissions of the user. "
        case ErrorType.INVALID_SESSION_ID:
            return "The session has ended: run the command again. "
        case ErrorType.API_LIMIT_EXCEEDED:
            return "Wait a minute, then run the command again. "
        case ErrorType.MALFORMED_URL | errors.UNEXPECTED_ANSWER:
            return f"Check {option}: it has to be the address of the service itself. "
        case _:
            return ""


@asynccontextmanager
async def signed_in(who: Account) -> AsyncIterator[VaultClient]:
    """Yield a signed-in client of a user for the block, and sign it out."""
    with addressed(who.url, who.option):
        user = VaultClient(who.url, who.username, who.password, client_id="medcrm")
    with reaching(who.url, who.option, who.variable):
        async with user as client:
            await client.sign_in()
            try:
                yield client
            finally:
                await client.sign_out()


def run_signed_in(
    url: str, username: str, work: Callable[[VaultClient], Awaitable[T]]
) -> T:
    """Sign in, do the work and sign out; a fault ends the command with a message."""
    who = account(url, username)

    async def session() -> T:
        async with signed_in(who) as client:
            return await work(client)

    return run(session())


def run(work: Awaitable[T]) -> T:
    """Do the work of a command; a fault ends the command with a message."""

    async def whole() -> T:
        return await work

    try:
        return asyncio.run(whole())
    except (
        ConsoleFault,
        ConfigurationFault,
        ClientError,
        ValueError,
        OSError,
    ) as error:
        raise failed(error) from error


def failed(error: Exception) -> typer.Exit:
    """Write why a command failed, and return the exception that ends it."""
    typer.secho(f"Error: {_text(error)}", fg=typer.colors.RED, err=True)
    return typer.Exit(FAILED)


def _text(error: Exception) -> str:
    """Return the text of an error; of an error about a file, without the error number of the operating system."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)
