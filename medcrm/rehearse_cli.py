"""Defines the commands that make a Vault misbehave on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from medcrm.console_session import DIFFERENT, Url, Username, run_signed_in
from medcrm.fault_calls import faults, switch_off, switch_on, switches
from medcrm.rehearsals import REHEARSALS, Rehearsal
from medcrm.rehearsing import Course, described, play

rehearse = typer.Typer(
    help="Faults on purpose, in a Vault that is not in production: switched by hand, or a ready-made rehearsal.",
    no_args_is_help=True,
)

User = Annotated[str, typer.Option("--user", help="Only calls of this user.")]
ClientId = Annotated[
    str, typer.Option("--client-id", help="Only calls of clients with this client id.")
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings, each name=value: calls or share; user, client_id, method, path, queue; seconds, minutes."
    ),
]
StageSeconds = Annotated[
    float,
    typer.Option("--stage-seconds", help="A stage ends after so long at the latest."),
]
Patience = Annotated[
    float,
    typer.Option(
        "--patience", help="What is expected has to hold so many seconds afterwards."
    ),
]
FaultSeconds = Annotated[
    float | None,
    typer.Option(
        "--fault-seconds",
        min=0.01,
        help="No fault that takes time lasts longer than so many seconds.",
    ),
]


@rehearse.command("faults")
def faults_command(url: Url, username: Username) -> None:
    """List the faults that can be switched on."""
    for fault in run_signed_in(url, username, faults):
        typer.echo(f"{fault['name']:<26}{fault['strikes']:<10}{fault['label']}")


@rehearse.command("on")
def on_command(
    fault: Annotated[str, typer.Argument(help="Name of the fault.")],
    url: Url,
    username: Username,
    settings: Settings = None,
) -> None:
    """Switch a fault on, such as ``cut_answer calls=5 client_id=nightly-load``."""
    fields = {"fault": fault}
    for setting in settings or ():
        name, _, value = setting.partition("=")
        fields[name] = value
    switch = run_signed_in(url, username, lambda client: switch_on(client, fields))
    typer.echo(f"{switch['id']}  {described(switch)}; until {switch['until']}")


@rehearse.command("status")
def status_command(url: Url, username: Username) -> None:
    """Show the active faults; ends with exit code 1 when there are any."""
    found = run_signed_in(url, username, switches)
    for switch in found:
        typer.echo(f"{switch['id']}  {described(switch)}; until {switch['until']}")
    if found:
        raise typer.Exit(DIFFERENT)
    typer.echo("No fault is switched on")


@rehearse.command("off")
def off_command(
    url: Url,
    username: Username,
    switch_id: Annotated[
        str | None, typer.Argument(help="Id of the switch; all without it.")
    ] = None,
) -> None:
    """Switch a fault off, or all."""
    ended = run_signed_in(url, username, lambda client: switch_off(client, switch_id))
    for switch in ended:
        typer.echo(f"ended  {described(switch)}")


def _command(rehearsal: Rehearsal) -> Callable[..., None]:
    """Return the command that plays a rehearsal."""

    def command(
        url: Url,
        username: Username,
        user: User = "",
        client_id: ClientId = "",
        stage_seconds: StageSeconds = 60.0,
        patience: Patience = 300.0,
        fault_seconds: FaultSeconds = None,
    ) -> None:
        only = {"user": user, "client_id": client_id}
        course = Course(
            {name: value for name, value in only.items() if value},
            stage_seconds,
            patience,
            fault_seconds,
        )
        all_met = run_signed_in(
            url, username, lambda client: play(client, rehearsal, course, typer.echo)
        )
        if not all_met:
            raise typer.Exit(DIFFERENT)

    return command


for _rehearsal in REHEARSALS.values():
    rehearse.command(_rehearsal.name, help=f"{_rehearsal.title}.")(_command(_rehearsal))
