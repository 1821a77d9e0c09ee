"""Which code an integration point runs: the standard ones that rules alone cannot express, else the general one."""

from __future__ import annotations

from services.connector.points import (
    account,
    country,
    general,
    inquiry,
    medical_case,
    on_demand,
)
from services.connector.points import clm_content as content
from services.connector.points import crm_metadata as metadata
from services.connector.points.outcome import Outcome
from services.connector.points.pull_rules import ACCOUNT_POINT
from services.connector.points.states import OutdatedRead
from services.connector.points.transfer import Point, Transfer
from services.connector.vaults.configuration import Route
from shared.client.errors import VaultUnavailable
from shared.runtime.telemetry import metrics

READ_ATTEMPTS = 10

_POINTS: dict[str, Point] = {
    inquiry.POINT: inquiry.transfer,
    ACCOUNT_POINT: account.transfer,
    medical_case.POINT: medical_case.transfer,
    country.POINT: country.transfer,
    content.POINT: content.transfer,
    on_demand.CRM_LOOKUP: on_demand.transfer,
    **dict.fromkeys(metadata.ORDER, metadata.transfer),
}


def fills_documents(route: Route) -> bool:
    """Whether rules of the route's integration point may fill fields of documents: only where they are all there is."""
    return route.point.role not in _POINTS


async def transfer(unit: Transfer) -> Outcome:
    """Transfer a unit by the code of its integration point, again while what it has read is outdated.

    Raises ClientError; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    if not unit.ids:
        return Outcome()
    point = _POINTS.get(unit.route.point.role, general.transfer)
    for _ in range(READ_ATTEMPTS):
        try:
            return await point(unit)
        except OutdatedRead:
            metrics.read_again.labels(unit.route.point.api_name).inc()
    raise VaultUnavailable("the same records are being written all the time")
