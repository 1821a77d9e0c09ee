"""Serves the readiness of a connection: its steps, the faults of each, and where to correct them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.readiness_steps import ReadinessStep
from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.connector_sessions import page_sessions
from shared.vault.admin.exception_mends import rule_path
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.showing import named
from shared.vault.admin.viewing import RecordView, view
from shared.vault.connections.connection_rules import OBJECT
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.admin.showing import Named

router = APIRouter(prefix="/connections/{record_id}/readiness")

STEPS: Mapping[ReadinessStep, tuple[str, str]] = {
    ReadinessStep.CONNECTION: (
        "Connection",
        "It is established and Active in both Vaults",
    ),
    ReadinessStep.REMOTE_VAULT: (
        "Remote Vault",
        "It is the right Vault, and the connector may sign in there",
    ),
    ReadinessStep.USER_RIGHTS: (
        "Rights",
        "The connection's user may read all that the rules read",
    ),
    ReadinessStep.INTEGRATIONS: (
        "Integrations",
        "The integrations in use are active in both Vaults",
    ),
    ReadinessStep.POINTS: (
        "Integration points",
        "Each integration point of an active integration is active",
    ),
    ReadinessStep.RULES: (
        "Integration rules",
        "They are valid, and work as they are written",
    ),
    ReadinessStep.QUEUES: (
        "Spark queues",
        "They are active, and their delivery is enabled",
    ),
    ReadinessStep.CONSUMERS: ("Connector", "It takes messages off the queues"),
    ReadinessStep.EXCEPTIONS: ("User exceptions", "None is open"),
}
"""The title and aim of each step."""
# The steps whose faults prevent the check of all later steps.
FIRST = (ReadinessStep.CONNECTION, ReadinessStep.REMOTE_VAULT)


@dataclass(frozen=True, slots=True)
class Mend:
    """One fault to correct; ``path`` is the page on which to correct it, empty when this Vault has none.

    ``prevents`` is True when the fault prevents transfers; ``elsewhere`` is the id of the Vault that has the
    fault, None when it is this Vault.
    """

    text: str
    name: str
    path: str
    prevents: bool
    elsewhere: int | None


@dataclass(slots=True)
class StepOfReadiness:
    """One step with its faults; ``checked`` is False while faults of an earlier step prevent its check."""

    title: str
    aim: str
    checked: bool = True
    mends: list[Mend] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Return the CSS class of the step's badge."""
        if not self.checked:
            return "unseen-yet"
        if any(mend.prevents for mend in self.mends):
            return "failed"
        return "warning" if self.mends else "ok"

    @property
    def words(self) -> str:
        """Return the text of the step's badge."""
        if not self.checked:
            return "Not checked yet"
        if not self.mends:
            return "Done"
        prevents = any(mend.prevents for mend in self.mends)
        return "To correct" if prevents else "To check"


@router.get("")
async def readiness(context: CurrentPage, record_id: str) -> Response:
    """Show the steps of a connection, with the connector's present findings."""
    authorize(context.caller, Grant.MANAGE_INTEGRATIONS)
    shown = await view(context, OBJECT, record_id)
    name = str(shown.values["api_name__sys"])
    error: ApiError | None = None
    steps: list[StepOfReadiness] = []
    ready = False
    try:
        answer = await context.vault.connector.ask(
            "readiness", name, sessions=page_sessions(context)
        )
    except VaultFault as fault:
        # The page shows the connector's refusal with advice.
        error = fault.error
    else:
        ready = bool(answer["ready"])
        steps = steps_of(answer["findings"], await _paths(context, shown))
    return context.page(
        "readiness.html", view=shown, ready=ready, steps=steps, error=error
    )


@dataclass(frozen=True, slots=True)
class Paths:
    """Finds the pages of this Vault on which faults are corrected; integrations and points are by API name."""

    context: PageContext
    connection: RecordView
    integrations: Mapping[str, Named]
    points: Mapping[str, Named]

    def of(self, step: ReadinessStep, finding: Mapping[str, Any]) -> str:
        """Return the address of the page on which to correct a finding of this Vault; empty when there is none."""
        name = str(finding["name"])
        path = ""
        match step:
            case ReadinessStep.CONNECTION:
                path = self.connection.path
            case ReadinessStep.REMOTE_VAULT:
                path = f"{self.connection.generic_path}/edit"
            case ReadinessStep.USER_RIGHTS:
                path = "/ui/components/Permissionset"
            case ReadinessStep.INTEGRATIONS:
                found = self.integrations.get(name)
                # A finding about all of them names the connection.
                path = found.path if found else f"{self.connection.path}#integrations"
            case ReadinessStep.POINTS if name in self.points:
                path = self.points[name].path
            case ReadinessStep.RULES:
                part = str(finding.get("field_rule") or "")
                path = rule_path(self.context, name, part)
            case ReadinessStep.QUEUES:
                known = name in self.context.registry.queues
                path = f"/ui/queues/{quote(name)}" if known else "/ui/queues"
            case ReadinessStep.EXCEPTIONS:
                path = f"/ui/exceptions?connection={self.connection.id}"
            case ReadinessStep.POINTS | ReadinessStep.CONSUMERS:
                pass
            case _:
                assert_never(step)
        return path


async def _paths(context: PageContext, shown: RecordView) -> Paths:
    integrations = await named(context, "integration__sys")
    points = await named(context, "integration_point__sys")
    return Paths(context, shown, integrations, points)


def steps_of(
    findings: Sequence[Mapping[str, Any]], paths: Paths
) -> list[StepOfReadiness]:
    """Return all steps in order, each with its findings."""
    steps = {step: StepOfReadiness(*words) for step, words in STEPS.items()}
    own_vault = paths.context.vault.vault_id
    for finding in findings:
        step = ReadinessStep(finding["step"])
        of_here = finding["vault_id"] == own_vault
        mend = Mend(
            text=str(finding["message"]),
            name=str(finding["name"]),
            path=paths.of(step, finding) if of_here else "",
            prevents=bool(finding["prevents_transfer"]),
            elsewhere=None if of_here else finding["vault_id"],
        )
        steps[step].mends.append(mend)
    hidden = any(steps[step].mends for step in FIRST)
    for step, shown in steps.items():
        shown.checked = step in FIRST or not hidden
    return list(steps.values())
