"""Finds accounts in Vault CRM, and the Case Contact of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.connector.asking.caller_reads import CallerSessions
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
from services.connector.rules.rows import Selection
from services.connector.vaults.configuration import ConfigurationFault, IntegrationPoint
from shared.client.errors import VaultRefused
from shared.client.results import Row, text


@dataclass(frozen=True, slots=True)
class Found:
    """Accounts that were found; ``complete`` is False when there are more."""

    accounts: Sequence[Mapping[str, object]]
    complete: bool


async def search(
    criteria: AccountSearch, traffic: Traffic, caller: CallerSessions
) -> Found:
    """Search the accounts that may be shown over a connection, by queries of the Authorized Connection User.

    The connection's rule and the countries' agreements decide which data of Vault CRM is shown; Case Contacts are read
    with the caller's rights. No error text contains a search criterion.

    :raises NotReadable: the caller may not read Case Contacts.
    :raises ConfigurationFault: the configuration does not provide for the search.
    :raises RuleError: the rule cannot be carried out, or shows too few fields.
    :raises ClientError: a Vault is away or refuses.
    """
    rule = _rule(traffic)
    agreements = await _agreements(criteria, traffic)
    texts = [statement(criteria, rule, agreement) for agreement in agreements]
    try:
        rows = await query_all(traffic.source, texts)
    except VaultRefused as refused:
        # The Vault's own message may quote the statement, and with it what was searched for.
        message = "Vault CRM refused the search; see its log for the reason"
        raise VaultRefused(refused.type, message) from None
    # Each statement is ordered and limited; only all of them together have the first accounts.
    rows.sort(key=lambda row: (text(row, NAME), text(row, "id")))
    shown = rows[: criteria.limit]
    await traffic.configuration.look_up(rule, shown)
    contacts = [_contact(row, rule) for row in shown]
    candidates = await candidates_of(caller.own(traffic.own.client), contacts)
    accounts = [
        _account(rule, row, contact, candidates)
        for row, contact in zip(shown, contacts, strict=True)
    ]
    complete = len(rows) <= criteria.limit
    return Found(accounts, complete)


def _contact(row: Row, rule: CompiledRule) -> Contact:
    account = str(row["id"])
    evaluated = rule.evaluate(row)
    return Contact.of(account, rule, account, row, evaluated.targets)


def _rule(traffic: Traffic) -> CompiledRule:
    """Return the rule that says which account fields are shown over the connection.

    :raises ConfigurationFault: the connection does not have exactly one such rule.
    :raises RuleError: the rule cannot be carried out.
    """
    known = traffic.configuration
    point = _point(traffic)
    if point is not None:
        route = known.route(point.api_name, traffic.source.vault_id)
        rules = [
            rule
            for rule in known.rules_of(route)
            if rule.primary_query_object == ACCOUNT
        ]
        if len(rules) == 1:
            return known.compiled(route, rules[0])
    raise ConfigurationFault(
        f"Connection {traffic.connection.api_name} needs one integration point {CRM_LOOKUP}, with exactly one active "
        f"integration rule that reads {ACCOUNT}; correct its points and rules"
    )


def _point(traffic: Traffic) -> IntegrationPoint | None:
    """Return the connection's integration point for lookups."""
    known = traffic.configuration
    for point in known.points:
        integration = known.integrations.get(point.integration)
        if integration is None or integration.connection != traffic.connection.id:
            continue
        # By role, which the point of a copied connection shares with the original's.
        if point.role == CRM_LOOKUP:
            return point
    return None


async def _agreements(criteria: AccountSearch, traffic: Traffic) -> tuple[str, ...]:
    """Return the conditions of the accounts that may be shown, by the agreements of the Medical Vault's countries."""
    result = await traffic.own.client.query(COUNTRIES)
    pull_rules = read_pull_rules(result.rows)
    if criteria.country is not None:
        pull_rules = {
            code: rule for code, rule in pull_rules.items() if code == criteria.country
        }
    return visible(pull_rules)


def _account(
    rule: CompiledRule,
    row: Row,
    contact: Contact,
    candidates: Candidates,
) -> dict[str, object]:
    """Return an account as JSON, with the fields that the rule selects."""
    fields: dict[str, object] = {}
    for part in rule.fields:
        if part.selection is not None:
            fields[_path(part.selection)] = part.source(row)
    person: str | None = None
    error: str | None = None
    try:
        person = match(contact, candidates)
    except Ambiguous as problem:
        error = str(problem)
    return {"id": contact.key, "fields": fields, "case_contact": person, "error": error}


def _path(selection: Selection) -> str:
    """Return the name of a selected field: ``key``, or ``child.key`` for one of a related record."""
    if selection.child is None:
        return selection.key
    return f"{selection.child}.{selection.key}"
