"""What is searched for, and the one statement that finds it; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rows import contains, literal
from services.connector.rules.rule import RuleError

MAX_ACCOUNTS = 50
MAX_WORDS = 10
NAME = "name__v"
CRITERIA: Mapping[str, str] = {
    "veeva_id": "veevaid__v",
    "external_id": "external_id__v",
}

_WORD = re.compile(r"\w+")
Text = Annotated[str, Field(min_length=1, max_length=100)]


class AccountSearch(BaseModel):
    """What is known of the accounts: all of it holds of each one found.

    ``name`` is words, or their beginnings, of the name; ``country`` a country code.
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
        if (
            self.ids is None
            and self.name is None
            and self.veeva_id is None
            and self.external_id is None
        ):
            message = "one of ids, name, veeva_id and external_id is needed"
            raise ValueError(message)
        if self.name is not None and not _WORD.search(self.name):
            message = "name has no letter or digit"
            raise ValueError(message)
        return self


def statement(asked: AccountSearch, rule: CompiledRule, agreement: str) -> str:
    """The VQL of a search, for one account more than are shown, as far as rule and agreement let accounts be seen.

    ``agreement`` is a condition of accounts that may be shown: OR does not combine those on different objects in VQL.
    Raises RuleError when the rule does not show what is searched by: who may not see it could else find it out.
    """
    shown = {
        part.selection.key
        for part in rule.fields
        if part.selection and part.selection.child is None
    }
    conditions = [agreement]
    if rule.plan.conditions:
        conditions.append(f"({rule.plan.conditions})")
    if asked.ids is not None:
        conditions.append(contains("id", asked.ids))
    for criterion, field in CRITERIA.items():
        value = getattr(asked, criterion)
        if value is not None:
            _require_shown(rule, field, shown)
            conditions.append(f"{field} = {literal(value)}")
    find = ""
    if asked.name is not None:
        _require_shown(rule, NAME, shown)
        # Words alone, each the beginning of one: nothing of them is an operator of the search.
        words = " ".join(f"{word}*" for word in _WORD.findall(asked.name)[:MAX_WORDS])
        find = f" FIND ({literal(words)} SCOPE {NAME})"
    where = " AND ".join(conditions)
    return f"{rule.plan.head}{find} WHERE {where} ORDER BY {NAME}, id MAXROWS {asked.limit + 1}"


def _require_shown(rule: CompiledRule, field: str, shown: set[str]) -> None:
    if field not in shown:
        reason = f"it does not show {field}, so accounts cannot be searched by it; add a field rule that reads it"
        raise RuleError(rule.name, None, reason)
