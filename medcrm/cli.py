"""Defines the commands of the console."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar, assert_never

import orjson
import typer

from medcrm.application import apply
from medcrm.configuration import Configuration, ConfigurationFault
from medcrm.difference import Difference, Kind, compare
from medcrm.folder import read_folder, write_folder
from medcrm.reconciling import number_of_findings, reconcile, table
from medcrm.statement_order import statements
from medcrm.vault import read_vault
from shared.client import VaultClient
from shared.client.errors import ClientError
from shared.client.results import Row, whole

T = TypeVar("T")

PASSWORD = "MEDCRM_PASSWORD"  # noqa: S105  the name of the variable
# Exit statuses, as those of ``diff``, by which a script distinguishes a difference from a fault.
DIFFERENT = 1
FAILED = 2

app = typer.Typer(
    help="Administration of Vaults.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config = typer.Typer(
    help="Configuration as files: export, diff, apply.", no_args_is_help=True
)
app.add_typer(config, name="config")

Folder = Annotated[
    Path, typer.Argument(help="Folder of MDL and CSV files.", show_default=False)
]
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
VaultName = Annotated[
    str | None,
    typer.Option(
        "--vault",
        help="Subfolder that holds this Vault's configuration, where there are several.",
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        help="Only components of this type, and no records; may be repeated.",
        show_default=False,
    ),
]
Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="Also remove what the Vault has and the folder does not."
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask before the plan is carried out.")
]

Connection = Annotated[
    str | None, typer.Option("--connection", help="API name of a connection.")
]
Integration = Annotated[
    str | None,
    typer.Option("--integration", help="API name of an integration; only this one."),
]
IntegrationPoint = Annotated[
    str | None,
    typer.Option(
        "--integration-point", help="API name of an integration point; only this one."
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        help="Minutes before the beginning in which a change counts as under way; 10 without it.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Show the result as JSON.")]
Findings = Annotated[
    Path | None,
    typer.Option("--findings", help="File to write the findings to, as CSV."),
]
Job = Annotated[
    int, typer.Argument(help="Job of the reconciliation.", show_default=False)
]
Chosen = Annotated[
    list[str] | None,
    typer.Option("--finding", help="Record id of a finding; may be repeated."),
]


@app.callback()
def main() -> None:
    """Administration of Vaults."""


@config.command("export")
def export_command(
    folder: Folder,
    url: Url,
    username: Username,
    vault: VaultName = None,
    types: Types = None,
) -> None:
    """Write a Vault's configuration to a folder: one component a file, by names, never ids."""
    present = _run(url, username, lambda client: read_vault(client, types or ()))
    place = _place(folder, vault)
    kept = _outside(place, types) if types else Configuration()
    components = {**kept.components, **present.components}
    tables = {**kept.tables, **present.tables}
    exported = Configuration(components, tables)
    written, removed = write_folder(place, exported)
    rows = sum(len(table.rows) for table in present.tables.values())
    typer.echo(
        f"{len(present.components)} components and {rows} records; {written} files written, {removed} removed"
    )


@config.command("diff")
def diff_command(
    folder: Folder,
    url: Url,
    username: Username,
    vault: VaultName = None,
    types: Types = None,
) -> None:
    """Show what applying the folder would change in a Vault; ends with 1 when it is not the same."""
    wanted = _wanted(_place(folder, vault), types)
    present = _run(url, username, lambda client: read_vault(client, types or ()))
    difference = compare(wanted, present)
    _show(difference)
    if difference:
        raise typer.Exit(DIFFERENT)


@config.command("apply")
def apply_command(
    folder: Folder,
    url: Url,
    username: Username,
    vault: VaultName = None,
    types: Types = None,
    prune: Prune = False,
    yes: Yes = False,
) -> None:
    """Make a Vault say what the folder says; shows the plan and asks first."""
    wanted = _wanted(_place(folder, vault), types)
    _run(
        url,
        username,
        lambda client: _apply(client, wanted, types or [], prune=prune, yes=yes),
    )


@app.command("reconcile")
def reconcile_command(
    url: Url,
    username: Username,
    connection: Connection = None,
    integration: Integration = None,
    integration_point: IntegrationPoint = None,
    window: Window = None,
    as_json: AsJson = False,
    findings: Findings = None,
) -> None:
    """Compare a Vault with the one at the other end of a connection; ends with 1 when something differs."""
    named = {
        "connection": connection,
        "integration": integration,
        "integration_point": integration_point,
        "window_minutes": None if window is None else str(window),
    }
    scope = {name: value for name, value in named.items() if value}

    async def work(client: VaultClient) -> Row:
        # On the other stream, so that what a script reads has the result only.
        with typer.progressbar(length=1, label="Comparing", file=sys.stderr) as bar:

            def progress(compared: int, expected: int) -> None:
                bar.length = max(compared, expected, 1)
                bar.update(compared - bar.pos)

            state = await reconcile(client, scope, progress)
        job = whole(state.get("job_id"), "job_id")
        if findings is not None:
            findings.write_text(await client.findings(job), "utf-8", newline="")
        return state

    state = _run(url, username, work)
    if as_json:
        typer.echo(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo("\n".join(table(state)))
    if number_of_findings(state):
        raise typer.Exit(DIFFERENT)


@app.command("transfer-again")
def transfer_again_command(
    job: Job,
    url: Url,
    username: Username,
    chosen: Chosen = None,
) -> None:
    """Have findings of a reconciliation transferred once more: all, or those that are named."""
    number = _run(
        url, username, lambda client: client.transfer_again(job, chosen or ())
    )
    typer.echo(f"{number} findings are transferred again")


async def _apply(
    client: VaultClient,
    wanted: Configuration,
    types: list[str],
    *,
    prune: bool,
    yes: bool,
) -> None:
    present = await read_vault(client, types)
    found = compare(wanted, present)
    difference = found if prune else found.without_removals()
    if not difference:
        typer.echo("Nothing to do")
        return
    _show(difference)
    count = len(statements(difference, wanted, present))
    typer.echo(f"Plan: {count} MDL statements, {len(difference.records)} records")
    if not yes and not typer.confirm("Apply?"):
        raise typer.Exit(DIFFERENT)
    await apply(client, difference, wanted, present, _done)
    typer.echo("Applied")


def _done(step: str) -> None:
    typer.echo(f"done  {step}")


def _run(url: str, username: str, work: Callable[[VaultClient], Awaitable[T]]) -> T:
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
        raise _failed(error) from error


def _place(folder: Path, vault: str | None) -> Path:
    # Files are removed there, so that the name must not lead out of the folder.
    if vault is not None and Path(vault).name != vault:
        raise _failed(ConfigurationFault("--vault names a subfolder, not a path"))
    return folder / vault if vault else folder


def _wanted(place: Path, types: list[str] | None) -> Configuration:
    try:
        found = read_folder(place)
    except (ConfigurationFault, OSError) as error:
        raise _failed(error) from error
    if not types:
        return found
    components = {
        name: component
        for name, component in found.components.items()
        if _type(name) in types
    }
    return Configuration(components)


def _outside(place: Path, types: list[str]) -> Configuration:
    """Return what an export of some types leaves as it is in the folder."""
    if not place.is_dir():
        return Configuration()
    try:
        found = read_folder(place)
    # An export may begin in a folder that has nothing yet, and it replaces what cannot be used.
    except ConfigurationFault:
        return Configuration()
    kept = {
        name: component
        for name, component in found.components.items()
        if _type(name) not in types
    }
    return Configuration(kept, found.tables)


def _type(full_name: str) -> str:
    return full_name.partition(".")[0]


def _show(difference: Difference) -> None:
    for component in difference.components:
        typer.secho(f"{component.kind} {component.name}", fg=_colour(component.kind))
        for line in component.lines:
            typer.echo(line)
    for record in difference.records:
        title = f"{record.kind} {record.object} {record.key}"
        typer.secho(title, fg=_colour(record.kind))
        for line in record.lines:
            typer.echo(line)
    if not difference:
        typer.echo("No differences")


def _colour(kind: Kind) -> str:
    match kind:
        case Kind.ADDED:
            return typer.colors.GREEN
        case Kind.CHANGED:
            return typer.colors.YELLOW
        case Kind.REMOVED:
            return typer.colors.RED
        case _:
            assert_never(kind)


def _failed(error: Exception) -> typer.Exit:
    typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
    return typer.Exit(FAILED)
