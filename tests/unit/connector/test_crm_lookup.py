"""CRM Lookup: the statement of a search, limited by rule and agreement."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.connector.crm_lookup.account_search import AccountSearch, statement
from services.connector.points.hcp import (
    WITH_TRANSFERRED_INQUIRY,
    PullRule,
    visible,
)
from services.connector.rules.compile import compile_rule
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import RuleError, read_rule
from shared.vault.vql.parser import parse
from tests.unit.connector.examples import field, field_rule, metadata, rule_json

ACCOUNT = metadata(
    "account__v", field("name__v"), field("veevaid__v"), field("external_id__v")
)
TARGETS = {"copy__v": metadata("copy__v", field("name__v"), field("veeva_id__v"))}
COUNTRY = "primary_country__vr.country_code__v"
AGREEMENT = f"{COUNTRY} CONTAINS ('FR')"
HEAD = (
    "SELECT id, global_id__sys, modified_date__v, name__v, veevaid__v FROM account__v"
)
END = "ORDER BY name__v, id MAXROWS 21"


def shown(*names: str, queries: tuple[dict[str, object], ...] = ()) -> CompiledRule:
    targets = {"name__v": "name__v", "veevaid__v": "veeva_id__v"}
    parts = [
        field_rule(f"copy__v.{targets[name]}", name, "account__v") for name in names
    ]
    (rule,) = read_rule(rule_json(*parts, primary="account__v", queries=queries))
    return compile_rule(rule, plan(rule, ACCOUNT), TARGETS, {})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"veeva_id": "V1"}, f"{HEAD} WHERE {AGREEMENT} AND veevaid__v = 'V1' {END}"),
        (
            {"ids": ["A1", "A2"]},
            f"{HEAD} WHERE {AGREEMENT} AND id CONTAINS ('A1','A2') {END}",
        ),
        (
            {"name": "jane o'do"},
            f"{HEAD} FIND ('jane* o* do*' SCOPE name__v) WHERE {AGREEMENT} {END}",
        ),
        (
            {"name": "Zoe\u0308 dvor"},
            f"{HEAD} FIND ('Zoe\u0308* dvor*' SCOPE name__v) WHERE {AGREEMENT} {END}",
        ),
        (
            {"name": "NOT (a OR b*)", "limit": 5},
            f"{HEAD} FIND ('NOT* a* OR* b*' SCOPE name__v) WHERE {AGREEMENT} ORDER BY name__v, id MAXROWS 6",
        ),
    ],
)
def test_the_statement(asked: dict[str, Any], expected: str) -> None:
    assert (
        statement(AccountSearch(**asked), shown("name__v", "veevaid__v"), AGREEMENT)
        == expected
    )


def test_a_query_object_rule_narrows_it() -> None:
    query = {
        "name": "q",
        "active": True,
        "query_object": "account__v",
        "filter_clause": "status__v = 'active__v'",
    }
    text = statement(
        AccountSearch(ids=("A1",)), shown("name__v", queries=(query,)), AGREEMENT
    )
    assert f"WHERE {AGREEMENT} AND ((status__v = 'active__v')) AND id" in text


@pytest.mark.parametrize("asked", [{"external_id": "E1"}, {"veeva_id": "V1"}])
def test_what_is_not_shown_is_not_searched_by(asked: dict[str, Any]) -> None:
    with pytest.raises(RuleError, match="does not show"):
        statement(AccountSearch(**asked), shown("name__v"), AGREEMENT)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"country": "FR"},
        {"name": "?!"},
        {"name": "x"},
        {"ids": []},
        {"ids": ["A"] * 51},
        {"veeva_id": "V", "limit": 51},
    ],
)
def test_what_is_no_search(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AccountSearch(**asked)


storable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(
    st.text(storable, min_size=2, max_size=100).filter(
        lambda text: re.search(r"\w", text)
    ),
    st.text(storable, min_size=1, max_size=100),
)
def test_whatever_is_searched_for_stays_a_value(name: str, identifier: str) -> None:
    rule = shown("name__v", "veevaid__v")
    searched, plain = (
        parse(statement(asked, rule, AGREEMENT)).select
        for asked in (
            AccountSearch(name=name, veeva_id=identifier),
            AccountSearch(name="aa", veeva_id="V"),
        )
    )
    where = without_places(searched.where)
    as_plain = where.replace(f"value={identifier!r}", "value='V'")
    assert as_plain == without_places(plain.where)
    assert (searched.source, searched.limits) == (plain.source, plain.limits)


def without_places(tree: object) -> str:
    return re.sub(r"at=\d+", "", repr(tree))


@pytest.mark.parametrize(
    ("rules", "conditions"),
    [
        ({}, ()),
        ({"CH": PullRule.DO_NOT_PULL}, ()),
        (
            {"FR": PullRule.PULL, "CH": PullRule.DO_NOT_PULL},
            (f"{COUNTRY} CONTAINS ('FR')",),
        ),
        (
            {"DE": PullRule.WITH_INQUIRIES, "US": PullRule.PULL, "FR": PullRule.PULL},
            (
                f"{COUNTRY} CONTAINS ('FR','US')",
                f"{COUNTRY} CONTAINS ('DE') AND {WITH_TRANSFERRED_INQUIRY}",
            ),
        ),
    ],
)
def test_what_an_agreement_lets_be_seen(
    rules: dict[str, PullRule], conditions: tuple[str, ...]
) -> None:
    assert visible(rules) == conditions
