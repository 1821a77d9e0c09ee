"""Runs *Account Inbound*: changed accounts update their Case Contacts, as far as their country's agreement allows.

Merges of accounts are transferred by the same point (``account_merges``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from services.connector.points import account_merges
from services.connector.points.case_contacts import (
    LINK,
    PERSON,
    SOURCE_DATA,
    Contact,
    save_contacts,
)
from services.connector.points.evaluation import (
    Row,
    missing_record,
    query_all,
    settle_references,
)
from services.connector.points.hcp import (
    ACCOUNT,
    ACCOUNT_COUNTRY,
    ACCOUNT_POINT,
    COUNTRIES,
    COUNTRY_CODE,
    HcpRecords,
    Partitions,
    PullRule,
    PullRules,
    account_rule,
    read_hcps,
    read_heads,
    read_pull_rules,
    read_pulled,
    readable,
    rule_name,
)
from services.connector.points.point import FIRST, Point, Reading
from services.connector.points.saving import KeyedRows, not_saved, save
from services.connector.points.transfer import MERGE, Outcome, Transfer
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import statements
from services.connector.rules.rule import IntegrationRule
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text

_EXISTING = f"SELECT id FROM {ACCOUNT}"  # noqa: S608  VQL of names
_KNOWN = f"SELECT id, {LINK} FROM {SOURCE_DATA}"  # noqa: S608  VQL of names


async def transfer(unit: Transfer) -> Outcome:
    """Write the Case Contact and Source Data of the unit's accounts, or its merges; a repetition creates no duplicates.

    Accounts that the agreement excludes are skipped, and none of their data is read.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: a rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    if unit.object == MERGE:
        return await account_merges.transfer(unit)
    if unit.object != ACCOUNT:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} takes {ACCOUNT} and {MERGE} records, not {unit.object}; "
            "correct the message's object"
        )
    outcome = Outcome()
    countries = await unit.target.query(COUNTRIES)
    pull_rules = read_pull_rules(countries.rows)
    # Two units with the same account, or with inquiries of it, would otherwise write its contact side by side.
    keys = [(ACCOUNT, account) for account in unit.ids]
    async with unit.locks.hold(keys):
        hcps = await read_pulled(unit, pull_rules)
        others = [account for account in unit.ids if account not in hcps.items]
        if others:
            await _read_others(unit, others, pull_rules, hcps, outcome)
        await _write(unit, hcps, outcome, countries.rows)
    return outcome


async def _read_others(
    unit: Transfer,
    accounts: list[str],
    pull_rules: PullRules,
    hcps: HcpRecords,
    outcome: Outcome,
) -> None:
    """Read further accounts, each by the rule of its country's agreement, if the agreement allows it."""
    # The heads say by which rule each account is read, before anything else of it is read.
    heads = await read_heads(unit.source, accounts, pull_rules)
    # Also where it may be read, an account of "only accounts with inquiries" waits for its first inquiry.
    partitions = await _allowed(unit, heads, pull_rules)
    excluded = heads.keys() - partitions.accounts
    outcome.skipped.update(excluded)
    outcome.excluded.update(excluded)
    unread = [account for account in accounts if account not in heads]
    await _note_unread(unit, unread, outcome)
    if partitions.accounts:
        await read_hcps(unit, partitions, hcps)


async def _note_unread(
    unit: Transfer,
    accounts: list[str],
    outcome: Outcome,
) -> None:
    """Skip accounts that exist and that the user may not read; note the others as missing."""
    # Nothing but the id is asked: of an account that may not be read, no other field may leave the source.
    texts = statements(_EXISTING, "id", accounts)
    rows = await query_all(unit.source, texts)
    existing = {str(row["id"]) for row in rows}
    outcome.skipped.update(existing)
    outcome.excluded.update(existing)
    for item in accounts:
        if item not in existing:
            failure = missing_record(
                ACCOUNT,
                item,
                unit.route.point.api_name,
            )
            unit.note_missing(outcome, item, failure)


async def _allowed(
    unit: Transfer,
    heads: Mapping[str, Row],
    pull_rules: PullRules,
) -> Partitions:
    """Return the accounts that may be read, by Pull Accounts Rule."""
    by_rule: dict[PullRule, list[str]] = {}
    for account, row in heads.items():
        rule = account_rule(pull_rules, text(row, ACCOUNT_COUNTRY), account)
        if rule is not PullRule.DO_NOT_PULL:
            by_rule.setdefault(rule, []).append(account)
    limited = by_rule.get(PullRule.WITH_INQUIRIES)
    if limited:
        links = {account: str(heads[account]["global_id__sys"]) for account in limited}
        known = await _known(unit, links.values())
        by_rule[PullRule.WITH_INQUIRIES] = [
            account for account, link in links.items() if link in known
        ]
    allowed = {rule: tuple(accounts) for rule, accounts in by_rule.items() if accounts}
    # An account is its own item here; an inquiry names another one.
    account_of = {
        account: account for accounts in allowed.values() for account in accounts
    }
    return Partitions(allowed, account_of)


async def _known(
    unit: Transfer,
    links: Collection[str],
) -> set[str]:
    """Return those of the Links that Source Data has, since an inquiry has transferred the account before."""
    rows = await query_all(unit.target, statements(_KNOWN, LINK, links))
    return {str(row[LINK]) for row in rows}


async def _write(
    unit: Transfer,
    hcps: HcpRecords,
    outcome: Outcome,
    countries: Iterable[Row],
) -> None:
    await settle_references(unit.target, hcps.evaluations, {COUNTRY_CODE: countries})
    for evaluation in hcps.evaluations:
        outcome.warn(evaluation.warnings)
    # Unlike for an inquiry, which needs a contact, an account that a filter leaves out is simply not transferred.
    left_out = hcps.left_out
    outcome.skipped.update(left_out)
    contacts: dict[str, Contact] = {}
    for account in hcps.items - left_out:
        contact = hcps.contact_of(account)
        if isinstance(contact, ItemFailure):
            outcome.fail(account, contact)
        else:
            contacts[account] = contact
    await _save(unit, contacts, outcome)


async def _save(
    unit: Transfer,
    contacts: Mapping[str, Contact],
    outcome: Outcome,
) -> None:
    persons, warnings = await save_contacts(unit, list(contacts.values()))
    # An account is its own key.
    outcome.warn(warnings)
    source_data = KeyedRows()
    for account, contact in contacts.items():
        person = persons[contact.key]
        if isinstance(person, ItemFailure):
            outcome.fail(account, person)
            continue
        origin = contact.origin(contact.source_data, {"person__v": person})
        source_data.add(contact.link, contact.modified, origin)
    results = await save(unit, SOURCE_DATA, source_data, LINK)
    for account, contact in contacts.items():
        result = results.get(contact.link)
        if result is not None and not result.ok:
            failure = not_saved(SOURCE_DATA, contact.rule, result)
            outcome.fail(account, failure)
    # Those that have failed meanwhile stay failures.
    outcome.succeed(contacts)


async def _readable(
    target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Narrow a reading to accounts whose country's agreement allows reading them; None when none are to be listed."""
    # Rules of this point may read inquiries for data about the HCP in them; inquiries are no accounts to list.
    if reading.object not in (ACCOUNT, MERGE):
        return None
    countries = await target.query(COUNTRIES)
    condition = readable(read_pull_rules(countries.rows))
    # Of a merge the ids are listed; which of them may be read further the transfer finds out.
    if condition is None or reading.object == MERGE:
        return None if condition is None else reading
    return replace(reading, condition=condition)


def _evaluates(rule: IntegrationRule) -> bool:
    """Return whether an integration rule serves a Pull Accounts Rule, or reads merges."""
    return rule.role in map(rule_name, PullRule) or MERGE in rule.target_objects


POINT = Point(
    ACCOUNT_POINT,
    transfer,
    order=FIRST,
    narrow=_readable,
    object=ACCOUNT,
    linked=frozenset({PERSON, SOURCE_DATA}),
    share=PointShare(
        keys=True,
        fills=frozenset({LINK, "person__v"}),
        writes=frozenset({PERSON, SOURCE_DATA, MERGE}),
        evaluates=_evaluates,
    ),
)
