"""Case Contact matching and the data usage agreement."""

from __future__ import annotations

import pytest

from services.connector.points.case_contacts import (
    Ambiguous,
    Candidates,
    Contact,
    match,
    read_candidates,
)
from services.connector.points.hcp import PullRule, account_rule, read_pull_rules
from services.connector.points.saving import KeyedRows, Origin
from tests.unit.connector.example_records import ACCOUNT
from tests.unit.connector.examples import compiled, field_rule

RULE = compiled(
    field_rule("person__sys.first_name__sys", "first_name_cda__v", ACCOUNT),
    primary=ACCOUNT,
)
CANDIDATES = read_candidates(
    [
        {"id": "N1", "veeva_id__v": "V-1", "external_id__v": None},
        {"id": "N2", "veeva_id__v": None, "external_id__v": "E-2"},
        {"id": "N3", "veeva_id__v": "V-3", "external_id__v": "E-3"},
    ],
    [{"link__sys": "G-4", "person__v": "N4"}, {"link__sys": "G-5", "person__v": None}],
)


def contact(
    veeva_id: str | None, external_id: str | None, link: str = "G-0"
) -> Contact:
    values = {"veeva_id__v": veeva_id, "external_id__v": external_id}
    person = {name: value for name, value in values.items() if value}
    return Contact("A1", "account__v", RULE, "A1", link, "", person, {})


@pytest.mark.parametrize(
    ("hcp", "expected"),
    [
        (contact("V-1", None), "N1"),
        (contact(None, "E-2"), "N2"),
        (contact("V-3", "E-3"), "N3"),
        (contact("V-1", "E-9", "G-4"), "N1"),
        (contact("V-9", "E-9", "G-4"), "N4"),
        (contact(None, None, "G-5"), None),
        (contact("V-9", "E-9"), None),
    ],
)
def test_match(hcp: Contact, expected: str | None) -> None:
    assert match(hcp, CANDIDATES) == expected


def test_identifiers_of_two_contacts_are_no_match() -> None:
    with pytest.raises(Ambiguous) as problem:
        match(contact("V-1", "E-2"), CANDIDATES)
    assert "V-1" not in str(problem.value)
    assert "N1" in str(problem.value)


def test_no_identifier_never_matches_a_record_without_one() -> None:
    assert match(contact(None, None), Candidates({}, {"None": "N7"}, {}, {})) is None


def test_the_most_restrictive_rule_holds_where_nothing_is_said() -> None:
    rules = read_pull_rules(
        [
            {"country_code__v": "ES", "pull_accounts_rule__v": ["pull_accounts__v"]},
            {
                "country_code__v": "GB",
                "pull_accounts_rule__v": ["only_accounts_with_inquiries__v"],
            },
            {
                "country_code__v": "CH",
                "pull_accounts_rule__v": ["do_not_pull_accounts__v"],
            },
            {"country_code__v": "JP", "pull_accounts_rule__v": None},
        ]
    )
    chosen = {
        code: account_rule(rules, code, "A1")
        for code in ("ES", "GB", "CH", "JP", "XX", "")
    }
    assert chosen == {
        "ES": PullRule.PULL,
        "GB": PullRule.WITH_INQUIRIES,
        "CH": PullRule.DO_NOT_PULL,
        "JP": PullRule.DO_NOT_PULL,
        "XX": PullRule.DO_NOT_PULL,
        "": PullRule.DO_NOT_PULL,
    }
    assert account_rule(rules, "ES", "") == PullRule.DO_NOT_PULL


def test_of_several_rows_with_one_key_the_last_modified_is_kept() -> None:
    rows = KeyedRows()
    for item, city, day in (
        ("A1", "old", "2026-01-01"),
        ("A2", "new", "2026-01-02"),
        ("A3", "older", "2025-12-31"),
    ):
        origin = Origin(item, own={"city__v": city})
        rows.add("G-1", f"{day}T00:00:00.000Z", origin)
    assert rows.rows("link__sys") == {"G-1": {"city__v": "new", "link__sys": "G-1"}}
