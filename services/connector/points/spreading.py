"""One source record that stands for several target records: a row of its own for each value of one of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from services.connector.points.source import Row
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rule import RuleError


class Part(NamedTuple):
    """What a source record says for one value of its field: its row, in which the field has that value only."""

    item: str
    value: str
    row: Row

    @property
    def key(self) -> str:
        """What the part is known by in its unit."""
        return f"{self.item} {self.value}"


def spread_field(rule: CompiledRule, target_field: str) -> str:
    """The column, in rows of the source record, that a target field is filled from.

    Raises RuleError when no field rule fills it, or one that reads a related record.
    """
    for part in rule.fields:
        if (
            part.target_field == target_field
            and part.selection is not None
            and part.selection.child is None
        ):
            return part.selection.key
    raise RuleError(
        rule.name,
        None,
        f"no active field rule fills {target_field} from a field of {rule.plan.object}; add one, whose query field "
        "has a value for each record that is to be made",
    )


def spread(rows: Mapping[str, Row], column: str) -> Iterator[Part]:
    """The parts of each row, in the order of its values; a row without a value has none."""
    for item, row in rows.items():
        for value in dict.fromkeys(_values(row.get(column))):
            yield Part(item, value, {**row, column: [value]})


def _values(given: object) -> Iterable[str]:
    values = given if isinstance(given, list) else [given]
    return (str(value) for value in values if value not in (None, ""))
