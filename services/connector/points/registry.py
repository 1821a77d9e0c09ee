"""Which code an integration point runs: the standard ones that rules alone cannot express, else the general one."""

from __future__ import annotations

from services.connector.points import account, general, inquiry, metadata
from services.connector.points.pull_rules import ACCOUNT_POINT
from services.connector.points.transfer import Point

_POINTS: dict[str, Point] = {
    inquiry.POINT: inquiry.transfer,
    ACCOUNT_POINT: account.transfer,
    **dict.fromkeys(metadata.ORDER, metadata.transfer),
}


def point_for(integration_point: str) -> Point:
    """The code of an integration point, by its role."""
    return _POINTS.get(integration_point, general.transfer)
