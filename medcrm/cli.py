"""Defines the commands of the console."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, assert_never

import typer
from typer._completion_shared import get_completion_script

from medcrm.application import apply
from medcrm.configuration import Configuration, ConfigurationFault
from medcrm.console_session import DIFFERENT, Url, Username, failed, run_signed_in
from medcrm.difference import Difference, Kind, compare
from medcrm.files import target_folder
from medcrm.folder import read_folder, write_folder
from medcrm.lookups_cli import lookups
from medcrm.preview_cli import preview_command
from medcrm.reconcile_cli import reconcile_command, transfer_again_command
from medcrm.rehearse_cli import rehearse
from medcrm.release import release
from medcrm.retry_cli import retry
from medcrm.runs_cli import runs
from medcrm.statement_order import statements
from medcrm.status_cli import readiness_command, status_command
from medcrm.trace_cli import trace
from medcrm.vault import read_vault
from shared.client import VaultClient

app = typer.Typer(
    help="Administration of Vaults.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config = typer.Typer(
    help="Configuration as files: export, diff, apply.", no_args_is_help=True
)
app.add_typer(config, name="config")
app.add_typer(rehearse, name="rehearse")
app.command("reconcile")(reconcile_command)
app.command("transfer-again")(transfer_again_command)
app.command("status")(status_command)
app.command("readiness")(readiness_command)
app.command("preview")(preview_command)
app.add_typer(runs, name="runs")
app.add_typer(retry, name="retry")
app.add_typer(lookups, name="lookups")
app.add_typer(trace, name="trace")

Folder = Annotated[
    Path, typer.Argument(help="Folder of MDL and CSV files.", show_default=False)
]
NewFolder = Annotated[
    Path,
    typer.Argument(
        help="Folder of MDL and CSV files.", show_default=False, callback=target_folder
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


class Shell(StrEnum):
    """Shells that commands and options can be completed in."""

    BASH = "bash"
    ZSH = "zsh"


def _show_version(*, requested: bool) -> None:
    if requested:
        typer.echo(f"medcrm {release()}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda requested: _show_version(requested=requested),
            is_eager=True,
            help="Show the version.",
        ),
    ] = False,
) -> None:
    """Administration of Vaults."""


@app.command("completion")
def completion_command(
    shell: Annotated[Shell, typer.Argument(help="Shell to complete in.")],
) -> None:
    """Write the script by which a shell completes commands and options."""
    typer.echo(
        # ``shell`` is the name of one, which nothing runs.
        get_completion_script(  # nosec B604
            prog_name="medcrm", complete_var="_MEDCRM_COMPLETE", shell=shell
        )
    )


@config.command("export")
def export_command(
    folder: NewFolder,
    url: Url,
    username: Username,
    vault: VaultName = None,
    types: Types = None,
) -> None:
    """Write a Vault's configuration to a folder: one component a file, by names, never ids."""
    present = run_signed_in(
        url, username, lambda client: read_vault(client, types or ())
    )
    place = _place(folder, vault)
    try:
        written, removed = _write(place, present, types)
    except OSError as error:
        raise failed(error) from error
    rows = sum(len(table.rows) for table in present.tables.values())
    typer.echo(
        f"{len(present.components)} components and {rows} records; {written} files written, {removed} removed"
    )


def _write(
    place: Path, present: Configuration, types: list[str] | None
) -> tuple[int, int]:
    """Write an exported configuration to its folder; return the numbers of files written and removed."""
    kept = _outside(place, types) if types else Configuration()
    components = {**kept.components, **present.components}
    tables = {**kept.tables, **present.tables}
    return write_folder(place, Configuration(components, tables))


@config.command("diff")
def diff_command(
    folder: Folder,
    url: Url,
    username: Username,
    vault: VaultName = None,
    types: Types = None,
) -> None:
    """Show what applying the folder would change in a Vault; ends with exit code 1 when it would change anything."""
    selected = _selected(_place(folder, vault), types)
    present = run_signed_in(
        url, username, lambda client: read_vault(client, types or ())
    )
    difference = compare(selected, present)
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
    """Change a Vault's configuration to that of the folder; shows the plan and asks first."""
    selected = _selected(_place(folder, vault), types)
    run_signed_in(
        url,
        username,
        lambda client: _apply(client, selected, types or [], prune=prune, yes=yes),
    )


async def _apply(
    client: VaultClient,
    selected: Configuration,
    types: list[str],
    *,
    prune: bool,
    yes: bool,
) -> None:
    present = await read_vault(client, types)
    found = compare(selected, present)
    difference = found if prune else found.without_removals()
    if not difference:
        typer.echo("Nothing to do")
        return
    _show(difference)
    count = len(statements(difference, selected, present))
    typer.echo(f"Plan: {count} MDL statements, {len(difference.records)} records")
    if not yes and not typer.confirm("Apply?"):
        raise typer.Exit(DIFFERENT)
    await apply(client, difference, selected, present, _done)
    typer.echo("Applied")


def _done(step: str) -> None:
    typer.echo(f"done  {step}")


def _place(folder: Path, vault: str | None) -> Path:
    # Files are removed there, so that the name must not lead out of the folder.
    if vault is not None and Path(vault).name != vault:
        raise failed(ConfigurationFault("--vault names a subfolder, not a path"))
    return folder / vault if vault else folder


def _selected(place: Path, types: list[str] | None) -> Configuration:
    try:
        found = read_folder(place)
    except (ConfigurationFault, OSError) as error:
        raise failed(error) from error
    if not types:
        return found
    components = {
        name: component
        for name, component in found.components.items()
        if _type(name) in types
    }
    return Configuration(components)


def _outside(place: Path, types: list[str]) -> Configuration:
    """Return the part of the configuration in a folder that an export of these types does not replace."""
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
