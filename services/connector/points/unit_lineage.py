"""Lineage of what a unit writes: told with each call to a Vault that keeps it, names, ids and times only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.vaults.configuration import Route
from shared.client.results import LINEAGE
from shared.spark.envelope import format_moment

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one row comes from.

    ``item`` is the id in the message because of which it is written; ``object`` and ``record`` are the source record,
    ``ruled`` the fields as the rule gave them. What else the row has, the integration point sets itself.
    """

    item: str
    object: str | None = None
    record: str | None = None
    rule: str | None = None
    ruled: Values = field(default_factory=dict)

    def own(self, row: Values) -> tuple[str, ...]:
        """The fields of a row that are the integration point's; of a reference by key or type by name, the field."""
        ruled = self.ruled
        return tuple(
            sorted(
                name.partition(".")[0]
                for name, value in row.items()
                if ruled.get(name) != value
            )
        )


@dataclass(frozen=True, slots=True)
class UnitLineage:
    """What all rows of a unit have in common: ``vault_id`` is where they come from, ``run`` a job, if one found them.

    ``messages`` are message ids by item.
    """

    vault_id: int
    route: Route
    run: int | None
    messages: Mapping[str, str]


class CallLineage:
    """The lineage of one call, gathered row by row."""

    def __init__(self, unit: UnitLineage) -> None:
        self._unit = unit
        self._numbers: dict[tuple[str | None, str | None, tuple[str, ...]], int] = {}

    def told(self, row: Values, origin: Origin) -> dict[str, object]:
        """The row, and where it comes from."""
        kind = (
            origin.object,
            origin.rule,
            () if origin.rule is None else origin.own(row),
        )
        number = self._numbers.setdefault(kind, len(self._numbers))
        return {
            **row,
            LINEAGE: [number, self._unit.messages[origin.item], origin.record],
        }

    def header(self) -> str:
        """What the call tells besides its rows."""
        unit, route = self._unit, self._unit.route
        return json.dumps(
            {
                "source_vault_id": unit.vault_id,
                "integration": route.integration.api_name,
                "integration_point": route.point.api_name,
                "run": unit.run,
                "time": format_moment(datetime.now(UTC)),
                "origins": [
                    {"object": o, "rule": rule, "own": own}
                    for o, rule, own in self._numbers
                ],
            }
        )


def keeps_lineage(objects: Iterable[ObjectMetadata]) -> bool:
    """Whether the Vault that has described these objects says where their lineage is read."""
    return any(described.keeps_lineage for described in objects)
