"""Registers *CRM Lookup*: accounts are read when a user searches for them, and are never transferred."""

from __future__ import annotations

from services.connector.points.point import Point
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.point_share import PointShare
from services.connector.vaults.configuration import ConfigurationFault

CRM_LOOKUP = "crm_lookup__v"


async def transfer(unit: Transfer) -> Outcome:
    """Refuse the unit: the point's rule defines what may be shown, and nothing is written.

    :raises ConfigurationFault: always.
    """
    raise ConfigurationFault(
        f"Integration point {unit.route.point.api_name} is read on demand and takes no messages; "
        "correct the message's integration point"
    )


POINT = Point(
    CRM_LOOKUP,
    transfer,
    on_demand=True,
    share=PointShare(only_shows=True),
)
