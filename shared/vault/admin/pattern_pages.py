"""Serves the page that shows each kind of page element once, with invented examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.inputs import Input, InputKind
from shared.vault.admin.listing import Listing
from shared.vault.admin.message_pages import Station
from shared.vault.admin.origins import Origin, with_numbers
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.preview_labels import PreviewLabels
from shared.vault.admin.run_progress import chart_of, progress_of
from shared.vault.admin.showing import Shown, ValueFormatter
from shared.vault.components.component_tree import Component
from shared.vault.components.rule_changes import RULE
from shared.vault.errors import ApiError
from shared.vault.integrations.run_model import Counts, Run
from shared.vault.jobs.job_model import JobStatus
from shared.vault.model.component_model import Field, FieldType, VaultObject

if TYPE_CHECKING:
    from collections.abc import Sequence

router = APIRouter(prefix="/patterns")

COLUMNS = ("name__v", "status__v", "modified_date__v")
EXAMPLE = VaultObject(
    name="example__c",
    label="Example",
    label_plural="Examples",
    prefix="ZZZ",
    fields={
        "name__v": Field("name__v", "Name", FieldType.STRING),
        "status__v": Field("status__v", "Status", FieldType.PICKLIST),
        "modified_date__v": Field("modified_date__v", "Modified", FieldType.DATE_TIME),
    },
)
OPTIONS = (("one", "One"), ("two", "Two"))
INPUTS = (
    Input("a_text", "Text", InputKind.TEXT, "Corbanyl", required=True, max_length=100),
    Input(
        "a_number",
        "Number",
        InputKind.NUMBER,
        "7",
        help="of units",
        error="Type digits, with a point before fractions",
    ),
    Input("a_day", "Date", InputKind.DATE, "2026-01-31"),
    Input("a_moment", "Date and time", InputKind.DATE_TIME, "2026-01-31T10:00"),
    Input("a_choice", "One of few", InputKind.SELECT, "one", options=OPTIONS),
    Input(
        "choices", "Several of few", InputKind.CHOICES, chosen=("two",), options=OPTIONS
    ),
    Input("a_value", "One of these or another", InputKind.SUGGEST, options=OPTIONS),
    Input("locked", "Locked", InputKind.TEXT, "is only shown", locked=True),
    Input("a_long_text", "Long text", InputKind.TEXT_AREA, "Several\nlines"),
)
EXAMPLE_RULE = Component(RULE, "example_rule__c", {})
REFUSED = ApiError(
    ErrorType.INVALID_DATA, "Number: type digits, with a point before fractions"
)
MARKS = (
    ("active", "Active"),
    ("pending", "Pending"),
    ("failed", "Failed"),
    ("inactive", "Inactive"),
)


@router.get("")
async def patterns(context: CurrentPage) -> Response:
    """Show each kind of page element once."""
    now = datetime.now(UTC)
    run = _run(now)
    row = {"id": "ZZZ000000000001", "modified_date__v": _text(now, minutes=3)}
    rows = [{**row, "name__v": "The first example", "status__v": ["active__v"]}]
    return context.page(
        "patterns.html",
        formatter=ValueFormatter(EXAMPLE, context.caller, context.registry),
        columns=COLUMNS,
        listing=Listing(rows, 1),
        inputs=_inputs(context),
        refused=[REFUSED],
        fields=_fields(now),
        origins=with_numbers({"name__v": _origin(now)}),
        marks=MARKS,
        run=run,
        progress=progress_of(run, now),
        chart=chart_of([run]),
        steps=_steps(),
        stations=_stations(now),
        verdicts={"expected": 120, "equal": 118, "missing": 2},
        source=SimpleNamespace(
            has_session=False, vault_id=10101, vault_name="Another Vault"
        ),
        preview=_preview(),
        words=PreviewLabels(context.registry, EXAMPLE_RULE, context.vault.vault_id),
    )


def _text(now: datetime, **ago: int) -> str:
    return (now - timedelta(**ago)).isoformat()


def _inputs(context: PageContext) -> Sequence[Input]:
    """Return the inputs of a form; records to choose from are those of an object of the Vault."""
    first = next(iter(context.vault.definition.first_objects), "")
    pick = Input(
        "a_record",
        "A record",
        InputKind.PICK,
        object=first,
        help="name, or any words of it",
    )
    return (*INPUTS, pick)


def _fields(now: datetime) -> list[Shown]:
    moment = _text(now, minutes=3)
    return [
        Shown("name__v", "Text", "Is it stable at room temperature?"),
        Shown("link", "Another record", "The second example", link="/ui/patterns"),
        Shown("state", "State", "Active", mark="active"),
        Shown("moment", "Moment", moment, moment=moment),
        Shown("none", "Without a value", ""),
        Shown("long", "Long text", "Several\nlines of text", long=True),
    ]


def _origin(now: datetime) -> Origin:
    return Origin(
        vault="Another Vault",
        date=_text(now, hours=3),
        source_id="ZZZ000000000002",
        rule="example_rule__c",
        message_id="00000000-0000-0000-0000-000000000000",
        changed=_text(now, minutes=3),
        changed_by="reader@practice.example",
    )


def _run(now: datetime) -> Run:
    began = now - timedelta(minutes=2)
    counts = Counts(read=120, mapped=110, skipped=10, written=105, failed=5)
    return Run(
        job_id=1,
        status=JobStatus.RUNNING,
        created_by=1,
        created_date=began,
        run_start_date=began,
        run_end_date=None,
        found_time=None,
        changed_since=None,
        read_since=None,
        continues=False,
        source_time=None,
        complete_until=None,
        stage=1,
        position="",
        batches=4,
        reported=3,
        paged=True,
        more_stages=False,
        error=None,
        stalled=False,
        by_point={"example__c": counts},
    )


def _steps() -> list[SimpleNamespace]:
    """Return example steps of readiness: one done, one with faults, one not yet checked."""
    mend = SimpleNamespace(
        text="Activate it", name="example__c", path="/ui/patterns", elsewhere=None
    )
    words: tuple[tuple[str, str, list[SimpleNamespace]], ...] = (
        ("ok", "Done", []),
        ("failed", "To be corrected", [mend]),
        ("unseen-yet", "Not checked yet", []),
    )
    return [
        SimpleNamespace(
            mark=mark,
            words=badge,
            title=f"Step {number}",
            aim="What it is for",
            mends=mends,
        )
        for number, (mark, badge, mends) in enumerate(words, start=1)
    ]


def _preview() -> SimpleNamespace:
    """Return the preview of an example rule: a value that is mapped, and one that fails."""
    parts = (
        ("first__c", "MD", "Doctor", "credentials__c", ""),
        ("second__c", "XX", None, "", "There is no row for the key XX; add it"),
    )
    fields = [
        SimpleNamespace(
            field_rule=name,
            source_value=source,
            target_value=target,
            reference_lookup=lookup,
            error=error,
            target_object=EXAMPLE.name,
            target_field=name,
        )
        for name, source, target, lookup, error in parts
    ]
    rule = SimpleNamespace(rule="example_rule__c", id="ZZZ000000000002", fields=fields)
    return SimpleNamespace(
        result="failed", error=None, warning=None, rules=[rule], writes=[]
    )


def _stations(now: datetime) -> list[Station]:
    link = (("Queue", "/ui/patterns"),)
    return [
        Station("Entered the queue", now - timedelta(seconds=9), "ok", links=link),
        Station("Delivered to the other Vault", now - timedelta(seconds=8), "ok"),
        Station(
            "Failed", now - timedelta(seconds=7), "failed", "Why", place="Another Vault"
        ),
    ]
