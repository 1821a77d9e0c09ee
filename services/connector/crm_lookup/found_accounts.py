"""Accounts found in Vault CRM, and the Case Contact that each one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.connector.asking.traffic import Traffic
from services.connector.crm_lookup.account_search import NAME, AccountSearch, statement
from services.connector.points.case_contacts import (
    Ambiguous,
    Candidates,
    Contact,
    candidates_of,
    match,
)
from services.connector.points.evaluation import query_all
from services.connector.points.hcp import ACCOUNT, COUNTRIES, read_pull_rules, visible
from services.connector.points.on_demand import CRM_LOOKUP
from services.connector.rules.compiled import CompiledRule
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.errors import VaultRefused
from shared.client.results import Row, text


@dataclass(frozen=True, slots=True)
class Found:
    """Accounts that were found; ``complete`` says that there are no more."""

    accounts: Sequence[Mapping[str, object]]
    complete: bool


async def search(asked: AccountSearch, traffic: Traffic) -> Found:
    """Search the accounts that may be seen over a connection, by queries of the Authorized Connection User.

    Raises ClientError, and ConfigurationFault or RuleError when the configuration does not provide for it; no text
    holds anything that was searched for.
    """
    rule = _rule(traffic)
    texts = [
        statement(asked, rule, agreement)
        for agreement in await _agreements(asked, traffic)
    ]
    try:
        rows = await query_all(traffic.source, texts)
    except VaultRefused as refused:
        raise VaultRefused(
            refused.type, "Vault CRM refused the search; its own log says why"
        ) from None
    rows.sort(key=lambda row: (text(row, NAME), text(row, "id")))
    shown = rows[: asked.limit]
    contacts = [_contact(str(row["id"]), row, rule) for row in shown]
    candidates = await candidates_of(traffic.own.client, contacts)
    accounts = [
        _answer(rule, row, contact, candidates)
        for row, contact in zip(shown, contacts, strict=True)
    ]
    return Found(accounts, complete=len(rows) <= asked.limit)


def _contact(account: str, row: Row, rule: CompiledRule) -> Contact:
    return Contact.of(account, rule, account, row, rule.evaluate(row).targets)


def _rule(traffic: Traffic) -> CompiledRule:
    known = traffic.configuration
    for point in known.points:
        above = known.integrations.get(point.integration)
        if (
            point.role == CRM_LOOKUP
            and above is not None
            and above.connection == traffic.connection.id
        ):
            route = known.route(point.api_name, traffic.source.vault_id)
            rules = [
                rule
                for rule in known.rules_of(route)
                if rule.primary_query_object == ACCOUNT
            ]
            if len(rules) != 1:
                break
            return known.compiled(route, rules[0])
    raise ConfigurationFault(
        f"Connection {traffic.connection.api_name} needs one integration point {CRM_LOOKUP}, with exactly one active "
        f"integration rule that reads {ACCOUNT}; correct its points and rules"
    )


async def _agreements(asked: AccountSearch, traffic: Traffic) -> tuple[str, ...]:
    """The conditions of the accounts that may be seen."""
    pull_rules = read_pull_rules((await traffic.own.client.query(COUNTRIES)).rows)
    if asked.country is not None:
        pull_rules = {
            code: rule for code, rule in pull_rules.items() if code == asked.country
        }
    return visible(pull_rules)


def _answer(
    rule: CompiledRule, row: Row, contact: Contact, candidates: Candidates
) -> dict[str, object]:
    fields = {
        ".".join(filter(None, (part.selection.child, part.selection.key))): part.source(
            row
        )
        for part in rule.fields
        if part.selection is not None
    }
    try:
        person, error = match(contact, candidates), None
    except Ambiguous as problem:
        person, error = None, str(problem)
    return {"id": contact.key, "fields": fields, "case_contact": person, "error": error}
