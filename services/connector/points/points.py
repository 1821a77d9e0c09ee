"""Registers the integration points that have code of their own, and transfers units by the code of their point."""

from __future__ import annotations

from services.connector.points import (
    account,
    clm_content,
    country,
    crm_metadata,
    general,
    inquiry,
    inquiry_return,
    medical_case,
    on_demand,
)
from services.connector.points.evaluation import OutdatedRead
from services.connector.points.point import MarkFailed, Point
from services.connector.points.transfer import Outcome, Transfer
from services.connector.points.transfer_status import REASON
from services.connector.vaults.configuration import Route
from shared.client.errors import VaultUnavailable
from shared.runtime.retry_policies import OUTDATED_READ
from shared.runtime.telemetry import metrics

POINTS: dict[str, Point] = {
    point.name: point
    for point in (
        account.POINT,
        clm_content.POINT,
        country.POINT,
        *crm_metadata.POINTS,
        inquiry.POINT,
        inquiry_return.POINT,
        medical_case.POINT,
        on_demand.POINT,
    )
}
"""The points with code of their own, by API name; rules say all of any other one, as of custom points."""


def point_of(route: Route) -> Point:
    """Return the registered point of a route's integration point, else the general point."""
    role = route.point.role
    return POINTS.get(role) or general.point(role)


def mark_refused(object_name: str) -> MarkFailed | None:
    """Return the function that marks records of an object whose message is refused as a whole, or None."""
    # By the object, not by the point: a message may be refused because its point does not exist.
    for point in POINTS.values():
        if object_name in point.mark_failed:
            return point.mark_failed[object_name]
    return None


def mark_failed(unit: Transfer) -> MarkFailed | None:
    """Return the function that marks records of a unit that were not transferred; None where there is none."""
    # From a sandbox nothing is written into a production CRM.
    if not unit.configuration.may_write_back(unit.source.vault_id):
        return None
    return point_of(unit.route).mark_failed.get(unit.object)


def reasons_of(unit: Transfer, outcome: Outcome) -> dict[str, str]:
    """Return why records failed, by id, in words for their senders; empty texts if the object has no such field."""
    described = unit.configuration.sources.get(unit.object)
    keeps = described is not None and REASON in described.fields
    return {
        item: failure.for_sender if keeps else ""
        for item, failure in outcome.failures.items()
    }


async def transfer(unit: Transfer) -> Outcome:
    """Transfer a unit by the code of its integration point; begin again when another connector changed what it read.

    :raises VaultUnavailable: other connectors were writing the same records every time.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: a rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    if not unit.ids:
        return Outcome()
    point = point_of(unit.route)
    for _ in range(OUTDATED_READ.attempts):
        try:
            return await point.transfer(unit)
        except OutdatedRead:
            metrics.read_again.labels(unit.route.point.api_name).inc()
    # The unit waits as for a Vault that is away, and is then begun again.
    raise VaultUnavailable("the same records are being written all the time")
