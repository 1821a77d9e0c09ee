"""Defines the commands about runs of integrations: list, start and follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from medcrm.console_session import DIFFERENT, Url, Username, run_signed_in
from medcrm.tables import AsJson, Progress, aligned, progress_bar, show
from shared.client import VaultClient
from shared.client.results import Row, mapping, text, whole

runs = typer.Typer(
    help="Runs of an integration: list, start, follow.", no_args_is_help=True
)

Integration = Annotated[
    str, typer.Argument(help="API name of the integration.", show_default=False)
]
Job = Annotated[int, typer.Argument(help="Job of the run.", show_default=False)]
Limit = Annotated[
    int, typer.Option("--limit", min=1, max=200, help="So many, the latest first.")
]
Follow = Annotated[
    bool, typer.Option("--follow/--no-follow", help="Wait for the end of the run.")
]
COUNTS = ("read", "mapped", "skipped", "written", "failed", "unchanged")
POLL_SECONDS = 0.5
UNFINISHED = ("SCHEDULED", "QUEUED", "QUEUEING", "RUNNING")


@runs.command("list")
def list_command(
    integration: Integration,
    url: Url,
    username: Username,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs of an integration, the latest first, with their counts."""
    found = run_signed_in(url, username, lambda client: client.runs(integration, limit))
    show(found, table(found), as_json=as_json)


@runs.command("start")
def start_command(
    integration: Integration,
    url: Url,
    username: Username,
    follow: Follow = True,
    as_json: AsJson = False,
) -> None:
    """Run an integration now; ends with exit code 1 when records failed."""

    async def work(client: VaultClient) -> Row:
        job = await client.request_run(integration)
        if not follow:
            return await client.run(integration, job)
        return await _followed(client, integration, job)

    _end(run_signed_in(url, username, work), as_json=as_json)


@runs.command("follow")
def follow_command(
    integration: Integration,
    job: Job,
    url: Url,
    username: Username,
    as_json: AsJson = False,
) -> None:
    """Wait for the end of a run; ends with exit code 1 when records failed."""
    run = run_signed_in(
        url, username, lambda client: _followed(client, integration, job)
    )
    _end(run, as_json=as_json)


async def _followed(client: VaultClient, integration: str, job: int) -> Row:
    with progress_bar("Batches") as progress:
        return await follow_run(client, integration, job, progress)


async def follow_run(
    client: VaultClient, integration: str, job: int, progress: Progress
) -> Row:
    """Return a run when it has ended; ``progress`` is called with the numbers of reported and of read batches."""
    while True:
        run = await client.run(integration, job)
        reported = whole(run.get("batches_reported"), "batches_reported")
        progress(reported, whole(run.get("batches"), "batches"))
        if run.get("status") not in UNFINISHED:
            return run
        await asyncio.sleep(POLL_SECONDS)


def _end(run: Row, *, as_json: bool) -> None:
    show(run, [*table([run]), *_remarks(run)], as_json=as_json)
    is_over = run.get("status") not in UNFINISHED
    if is_over and run.get("status") != "SUCCESS":
        raise typer.Exit(DIFFERENT)


def _remarks(run: Row) -> list[str]:
    named = ((name, text(run, name)) for name in ("error", "notice"))
    return [f"{name}: {value}" for name, value in named if value]


def table(found: Sequence[Row]) -> list[str]:
    """Return runs as lines: job, status, when it began and ended, and its counts."""
    rows = [["job", "status", "began", "ended", *COUNTS]]
    for run in found:
        counts = mapping(run.get("counts", {}), "counts")
        named = ("job_id", "status", "run_start_date", "run_end_date")
        numbers = [str(counts.get(name, 0)) for name in COUNTS]
        rows.append([*(text(run, name) for name in named), *numbers])
    return aligned(rows)
