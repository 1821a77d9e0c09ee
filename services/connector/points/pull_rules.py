"""The data usage agreement: which account rule a country's Pull Accounts Rule stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.connector.rules.vql_text import contains
from shared.client.results import text

ACCOUNT_POINT = "account_inbound__v"
DO_NOT_PULL = "do_not_pull_from_accounts__v"
WITH_INQUIRIES = "only_accounts_with_inquiries__v"
_RULES = {
    "pull_accounts__v": "account__v",
    "only_accounts_with_inquiries__v": WITH_INQUIRIES,
    "do_not_pull_accounts__v": DO_NOT_PULL,
}

ACCOUNT_COUNTRY = "primary_country__vr.country_code__v"
WITH_TRANSFERRED_INQUIRY = "id IN (SELECT id FROM medical_inquiries__vr WHERE transfer_status__v = 'success__v')"
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


def readable(pull_rules: Mapping[str, str]) -> str | None:
    """The condition of accounts of which anything may be read, so that no other is answered; None: of no account."""
    codes = sorted(code for code, rule in pull_rules.items() if rule != DO_NOT_PULL)
    return contains(ACCOUNT_COUNTRY, codes) if codes else None


def visible(pull_rules: Mapping[str, str]) -> tuple[str, ...]:
    """The conditions of accounts that may be shown as they are now, of which each fulfils one at most.

    Where only those with inquiries may be pulled, it is those of which an inquiry was transferred.
    """
    pulled = sorted(
        code
        for code, rule in pull_rules.items()
        if rule not in (DO_NOT_PULL, WITH_INQUIRIES)
    )
    with_inquiries = sorted(
        code for code, rule in pull_rules.items() if rule == WITH_INQUIRIES
    )
    conditions = [contains(ACCOUNT_COUNTRY, pulled)] if pulled else []
    if with_inquiries:
        conditions.append(
            f"{contains(ACCOUNT_COUNTRY, with_inquiries)} AND {WITH_TRANSFERRED_INQUIRY}"
        )
    return tuple(conditions)
