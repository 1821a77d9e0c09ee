"""Account Inbound: changed accounts keep their Case Contacts current, as far as their country's agreement allows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from services.connector.points.case_contacts import (
    LINK,
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
    DO_NOT_PULL,
    WITH_INQUIRIES,
    Partitions,
    account_rule,
    read_hcps,
    read_heads,
    read_pull_rules,
    readable,
)
from services.connector.points.point import FIRST, Point, Reading
from services.connector.points.saving import KeyedRows, not_saved, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.vql_text import statements
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import text

EXISTING = f"SELECT id FROM {ACCOUNT}"  # noqa: S608  VQL of names


async def transfer(unit: Transfer) -> Outcome:
    """Write the Case Contact and Source Data of the unit's accounts; repeating it makes nothing twice.

    Accounts that the agreement does not let through are skipped, and nothing of them is read. Raises ClientError
    and OutdatedRead; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    if unit.object != ACCOUNT:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} takes {ACCOUNT} records, not {unit.object}; "
            "correct the message's object"
        )
    outcome = Outcome()
    pull_rules = read_pull_rules((await unit.target.query(COUNTRIES)).rows)
    heads = await read_heads(unit.source, unit.ids, pull_rules)
    partitions = await _allowed(unit, heads, pull_rules)
    outcome.skipped.update(heads.keys() - partitions.accounts)
    await _note_unread(unit, [item for item in unit.ids if item not in heads], outcome)
    if partitions.accounts:
        # Two units with the same account, or with inquiries of it, would otherwise write its contact side by side.
        async with unit.locks.hold(
            (ACCOUNT, account) for account in partitions.accounts
        ):
            await _write(unit, partitions, outcome)
    return outcome


async def _note_unread(unit: Transfer, accounts: list[str], outcome: Outcome) -> None:
    """Skip those that are there and may not be read; the others are missing. Nothing but the id is asked."""
    there = {
        str(row["id"])
        for row in await query_all(unit.source, statements(EXISTING, "id", accounts))
    }
    outcome.skipped.update(there)
    for item in accounts:
        if item not in there:
            unit.note_missing(
                outcome, item, missing_record(ACCOUNT, item, unit.route.point.api_name)
            )


async def _allowed(
    unit: Transfer, heads: dict[str, Row], pull_rules: dict[str, str]
) -> Partitions:
    """The accounts that may be read, by the rule that reads them."""
    by_rule: dict[str, list[str]] = {}
    for account, row in heads.items():
        rule = account_rule(pull_rules, text(row, ACCOUNT_COUNTRY), account)
        if rule != DO_NOT_PULL:
            by_rule.setdefault(rule, []).append(account)
    if WITH_INQUIRIES in by_rule:
        links = {
            account: str(heads[account]["global_id__sys"])
            for account in by_rule[WITH_INQUIRIES]
        }
        known = await _known(unit, links.values())
        by_rule[WITH_INQUIRIES] = [
            account for account, link in links.items() if link in known
        ]
    allowed = {rule: tuple(accounts) for rule, accounts in by_rule.items() if accounts}
    return Partitions(
        allowed,
        {account: account for accounts in allowed.values() for account in accounts},
    )


async def _known(unit: Transfer, links: Collection[str]) -> set[str]:
    """The Links that Source Data has, and so those of accounts that an inquiry has made known."""
    rows = await query_all(
        unit.target,
        statements(f"SELECT id, {LINK} FROM {SOURCE_DATA}", LINK, links),  # noqa: S608
    )
    return {str(row[LINK]) for row in rows}


async def _write(unit: Transfer, partitions: Partitions, outcome: Outcome) -> None:
    hcps = await read_hcps(unit, partitions)
    await settle_references(unit.target, hcps.evaluations)
    for evaluation in hcps.evaluations:
        outcome.warn(evaluation.warnings)
    outcome.skipped.update(hcps.left_out)
    contacts: dict[str, Contact] = {}
    for account in partitions.accounts - hcps.left_out:
        contact = hcps.contact_of(account)
        if isinstance(contact, ItemFailure):
            outcome.fail(account, contact)
        else:
            contacts[account] = contact
    await _save(unit, contacts, outcome)


async def _save(unit: Transfer, contacts: dict[str, Contact], outcome: Outcome) -> None:
    persons = await save_contacts(unit, list(contacts.values()))
    source_data = KeyedRows()
    for account, contact in contacts.items():
        person = persons[contact.key]
        if isinstance(person, ItemFailure):
            outcome.fail(account, person)
        else:
            values = {**contact.source_data, "person__v": person}
            source_data.add(
                contact.link,
                values,
                contact.modified,
                contact.origin(contact.source_data),
            )
    results = await save(unit, SOURCE_DATA, source_data, LINK)
    for account, contact in contacts.items():
        result = results.get(contact.link)
        if result is not None and not result.ok:
            outcome.fail(account, not_saved(SOURCE_DATA, contact.rule, result))
    outcome.succeed(contacts)


async def _readable(target: RecordAccess, reading: Reading) -> Reading | None:
    """Accounts of countries whose agreement lets them be pulled at all; no other account is even listed."""
    if reading.object != ACCOUNT:
        return None  # a rule for what inquiries say of themselves
    countries = (await target.query(COUNTRIES)).rows
    condition = readable(read_pull_rules(countries))
    return None if condition is None else replace(reading, condition=condition)


POINT = Point(ACCOUNT_POINT, transfer, order=FIRST, narrow=_readable)
