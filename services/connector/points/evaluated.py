"""Holds what evaluated source rows came to: target values, failures and warnings by record."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.connector.points.outcome import ItemFailure
from services.connector.points.source import SourceRows
from services.connector.rules.compiled import CompiledRule, Evaluated, Targets


@dataclass(slots=True)
class Evaluation:
    """Target values and failures by source record id; a record stands in one of the two.

    ``warnings`` are what was left unset in records that are transferred all the same. ``evaluated`` is what each row
    of ``found`` came to, field by field, also where the record failed.
    """

    rule: CompiledRule
    found: SourceRows
    targets: dict[str, Targets] = field(default_factory=dict)
    failures: dict[str, ItemFailure] = field(default_factory=dict)
    warnings: dict[str, ItemFailure] = field(default_factory=dict)
    evaluated: dict[str, Evaluated] = field(default_factory=dict)
