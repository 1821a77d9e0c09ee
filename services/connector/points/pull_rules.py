"""The data usage agreement: which account rule a country's Pull Accounts Rule stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.connector.configuration import text

ACCOUNT_POINT = "account_inbound__v"
DO_NOT_PULL = "do_not_pull_from_accounts__v"
WITH_INQUIRIES = "only_accounts_with_inquiries__v"
_RULES = {
    "pull_accounts__v": "account__v",
    "only_accounts_with_inquiries__v": WITH_INQUIRIES,
    "do_not_pull_accounts__v": DO_NOT_PULL,
}

COUNTRIES = "SELECT id, country_code__v, pull_accounts_rule__v FROM country__v"


def read_pull_rules(countries: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Account rule names by country code."""
    return {
        code: _RULES.get(text(row, "pull_accounts_rule__v"), DO_NOT_PULL)
        for row in countries
        if (code := text(row, "country_code__v"))
    }


def account_rule(pull_rules: Mapping[str, str], country_code: str, account: str) -> str:
    """The account rule for an inquiry; where the country says nothing, no account is read."""
    return pull_rules.get(country_code, DO_NOT_PULL) if account else DO_NOT_PULL
