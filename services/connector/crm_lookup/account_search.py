"""Defines the criteria of an account search, and writes the one VQL statement that carries it out; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rows import contains, literal
from services.connector.rules.rule import RuleError

MAX_ACCOUNTS = 50
# Each word is one more prefix that the search of Vault CRM has to match.
MAX_WORDS = 10
NAME = "name__v"
CRITERIA: Mapping[str, str] = {
    "veeva_id": "veevaid__v",
    "external_id": "external_id__v",
}

# A letter may have its accent as a character of its own.
_WORD = re.compile(r"\w[\w\u0300-\u036f]*")
Text = Annotated[str, Field(min_length=1, max_length=100)]


class AccountSearch(BaseModel):
    """The criteria of a search; an account is found if it meets all of them.

    ``name`` contains words or the beginnings of words; ``country`` is a country code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    ids: (
        Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_ACCOUNTS)] | None
    ) = None
    name: Annotated[str, Field(min_length=2, max_length=100)] | None = None
    veeva_id: Text | None = None
    external_id: Text | None = None
    country: Annotated[str, Field(min_length=1, max_length=10)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ACCOUNTS)] = 20

    @model_validator(mode="after")
    def _known(self) -> Self:
        # The country alone would list accounts instead of searching for one.
        criteria = (self.ids, self.name, self.veeva_id, self.external_id)
        if all(criterion is None for criterion in criteria):
            message = "one of ids, name, veeva_id and external_id is needed"
            raise ValueError(message)
        if self.name is not None and not _WORD.search(self.name):
            message = "name has no letter or digit"
            raise ValueError(message)
        return self


def statement(criteria: AccountSearch, rule: CompiledRule, agreement: str) -> str:
    """Return the VQL of a search for the accounts that rule and agreement allow; its limit is one more than is shown.

    ``agreement`` is one VQL condition of the accounts that may be shown. VQL does not combine conditions on different
    objects by OR, so each of them needs a statement of its own.

    :raises RuleError: the rule does not show the field of a criterion.
    """
    shown = {
        part.selection.key
        for part in rule.fields
        if part.selection and part.selection.child is None
    }
    conditions = [agreement]
    if rule.plan.conditions:
        # In parentheses, since the rule's own condition may contain OR.
        conditions.append(f"({rule.plan.conditions})")
    if criteria.ids is not None:
        conditions.append(contains("id", criteria.ids))
    for criterion, field in CRITERIA.items():
        value = getattr(criteria, criterion)
        if value is not None:
            _require_shown(rule, field, shown)
            conditions.append(f"{field} = {literal(value)}")
    find = ""
    if criteria.name is not None:
        _require_shown(rule, NAME, shown)
        find = f" FIND ({_words(criteria.name)} SCOPE {NAME})"
    where = " AND ".join(conditions)
    # The one more says whether there are more accounts than are shown.
    rows = criteria.limit + 1
    return f"{rule.plan.head}{find} WHERE {where} ORDER BY {NAME}, id MAXROWS {rows}"


def _words(name: str) -> str:
    """Return the literal of a FIND for the words of a name."""
    words = _WORD.findall(name)
    # Words alone, each the beginning of one: nothing of them is an operator of the search.
    prefixes = [f"{word}*" for word in words[:MAX_WORDS]]
    return literal(" ".join(prefixes))


def _require_shown(rule: CompiledRule, field: str, shown: set[str]) -> None:
    """Check that the rule shows a field to search by: else a caller could find a hidden value by guessing.

    :raises RuleError: the rule does not show the field.
    """
    if field not in shown:
        reason = f"it does not show {field}, so accounts cannot be searched by it; add a field rule that reads it"
        raise RuleError(rule.name, None, reason)
