"""What became of the records that a message named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.connector.rules.field_errors import FieldError, ItemErrorType

MAX_TEXT = 1500


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """Why one source record could not be transferred; the text never holds a value that may be personal."""

    error_type: ItemErrorType
    message: str
    rule: str | None = None
    field_rule: str | None = None
    target_field: str | None = None

    @classmethod
    def of_fields(cls, errors: list[FieldError]) -> ItemFailure:
        """The failure of a record with these field errors: the first one's place, all of their texts."""
        first = errors[0]
        text = "\n".join(dict.fromkeys(error.message for error in errors))
        return cls(
            first.error_type,
            text[:MAX_TEXT],
            first.rule,
            first.field_rule,
            first.target_field,
        )


@dataclass(slots=True)
class Outcome:
    """The ids of one work unit by what became of them; an id stands in one place only.

    ``warnings`` are about ids that are done: what was left unset in them.
    """

    done: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failures: dict[str, ItemFailure] = field(default_factory=dict)
    warnings: dict[str, ItemFailure] = field(default_factory=dict)

    def fail(self, item: str, failure: ItemFailure) -> None:
        """Note a record's failure; the first one stays."""
        self.failures.setdefault(item, failure)
        self.done.discard(item)
        self.skipped.discard(item)
        self.warnings.pop(item, None)

    def warn(self, warnings: Mapping[str, ItemFailure]) -> None:
        """Note what was left unset in records that have not failed; the first warning of a record stays."""
        for item, warning in warnings.items():
            if item not in self.failures:
                self.warnings.setdefault(item, warning)

    def succeed(self, items: Iterable[str]) -> None:
        """Note records as transferred, except those that failed."""
        self.done.update(item for item in items if item not in self.failures)

    @property
    def settled(self) -> set[str]:
        """The ids that nothing is wrong with any more."""
        return (self.done | self.skipped) - self.warnings.keys()
