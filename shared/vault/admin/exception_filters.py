"""Reads from an address which User Exceptions to list: by status, connection, error type, age and cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Annotated, assert_never
from urllib.parse import urlencode

from fastapi import Query

from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ErrorStatus,
    ItemErrorType,
)
from shared.vault.vql import literal

LIST = "/ui/exceptions"
ALL = "all"
MAX_NAME = 100  # characters
TYPE = "error_type__sys"
MODIFIED = "modified_date__v"
# Fields of an item by which it is grouped, by the parameter of an address.
PARTS = {
    "rule": "integration_rule__sys",
    "field_rule": "field_rule__sys",
    "target_field": "target_field__sys",
}

Name = Annotated[str, Query(max_length=MAX_NAME)]
# None selects any value, an empty text exceptions without a value.
Part = Annotated[str | None, Query(max_length=MAX_NAME)]


class Age(StrEnum):
    """The ages of exceptions that an address may select, by the date of their last change."""

    TODAY = "today"
    WEEK = "week"
    ALL = "all"

    @property
    def label(self) -> str:
        """Return the label of the age on the page."""
        match self:
            case Age.TODAY:
                return "Today"
            case Age.WEEK:
                return "Last 7 days"
            case Age.ALL:
                return "Any age"
            case _:
                assert_never(self)

    @property
    def conditions(self) -> list[str]:
        """Return the conditions in VQL, with days in UTC."""
        match self:
            case Age.TODAY:
                return [f"{MODIFIED} >= TODAY"]
            case Age.WEEK:
                return [f"{MODIFIED} >= DAYS_AGO:7"]
            case Age.ALL:
                return []
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class ExceptionSelection:
    """The exceptions that an address selects; all values are names of configuration.

    ``connection`` and ``integration`` are API names. ``rule``, ``field_rule`` and ``target_field`` select the items of
    one cause, ``queue`` the messages that failed as a whole.
    """

    status: Name = "open__sys"
    connection: Name = ""
    integration: Name = ""
    type: Name = ""
    age: Age = Age.ALL
    rule: Part = None
    field_rule: Part = None
    target_field: Part = None
    queue: Part = None

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> ExceptionSelection:
        """Return the selection in a page's form; a value that no page offers is ignored."""
        selected = {
            each.name: form[each.name] for each in fields(cls) if each.name in form
        }
        age = selected.pop("age", "")
        known = Age(age) if age in tuple(Age) else Age.ALL
        cut = {name: value[:MAX_NAME] for name, value in selected.items()}
        return cls(age=known, **cut)

    @property
    def by_items(self) -> bool:
        """Return whether messages are selected by the errors of their items."""
        return self.type in tuple(ItemErrorType) or self.rule is not None

    @property
    def has_cause(self) -> bool:
        """Return whether one cause is selected."""
        return self.rule is not None or self.queue is not None

    @property
    def filtered(self) -> bool:
        """Return whether anything but the status restricts the selection."""
        return replace(self, status="") != ExceptionSelection(status="")

    @property
    def undecided(self) -> bool:
        """Return whether exceptions of the status need a retry or a decision."""
        known = self.status in tuple(ErrorStatus)
        return known and not ErrorStatus(self.status).settled

    @property
    def path(self) -> str:
        """Return the address of the list."""
        return f"{LIST}?{urlencode(self.parameters)}"

    @property
    def parameters(self) -> dict[str, str]:
        """Return the parameters of the address: the status, and all that differ from the defaults."""
        plain = ExceptionSelection()
        selected = {each.name: getattr(self, each.name) for each in fields(self)}
        differing = {
            name: str(value)
            for name, value in selected.items()
            if value != getattr(plain, name)
        }
        return {"status": self.status, **differing}

    @property
    def without_cause(self) -> ExceptionSelection:
        """Return the selection without a cause."""
        return replace(
            self, type="", rule=None, field_rule=None, target_field=None, queue=None
        )

    def with_cause(
        self, error_type: str, parts: Mapping[str, str]
    ) -> ExceptionSelection:
        """Return the selection with one cause of items; ``parts`` has a name or an empty text for each of ``PARTS``."""
        return replace(
            self,
            type=error_type,
            rule=parts["rule"],
            field_rule=parts["field_rule"],
            target_field=parts["target_field"],
            queue=None,
        )

    def conditions(self) -> list[str]:
        """Return the conditions of an item, or of a message that is not selected by its items."""
        terms = self.age.conditions
        if self.status != ALL:
            terms.append(f"{ERROR_STATUS} = {quoted(self.status)}")
        if self.type:
            terms.append(f"{TYPE} = {quoted(self.type)}")
        return terms

    def item_conditions(self) -> list[str]:
        """Return the conditions on fields of an item itself."""
        terms = self.conditions()
        for name, column in PARTS.items():
            value = getattr(self, name)
            if value is not None:
                terms.append(f"{column} = {quoted(value) if value else 'null'}")
        return terms


def quoted(value: str) -> str:
    """Return a value of an address as a literal of VQL."""
    # PostgreSQL takes NUL in no text.
    return literal(value.replace("\x00", ""))
