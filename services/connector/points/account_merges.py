"""Transfers merges of accounts: the Medical Vault stores each merge, and merges the Case Contacts."""

from __future__ import annotations

from dataclasses import dataclass

from services.connector.points.evaluation import (
    Evaluation,
    Row,
    fetch,
    missing_record,
    query_all,
    settle_references,
)
from services.connector.points.hcp import (
    ACCOUNT,
    COUNTRIES,
    read_heads,
    read_pull_rules,
)
from services.connector.points.saving import KeyedRows, Origin, no_key, not_saved, save
from services.connector.points.transfer import LINK, MERGE, Outcome, Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rows import MODIFIED, statements
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.results import text

_DUPLICATE = "duplicate_id__v"
_HEAD = f"SELECT id, account__v, {_DUPLICATE} FROM {MERGE}"  # noqa: S608  VQL of names


async def transfer(unit: Transfer) -> Outcome:
    """Record the unit's merges in the target Vault, which merges Case Contacts; a repetition changes nothing.

    Merges into accounts that the data usage agreement excludes are skipped, and only the ids of these are read.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: the rule of merges cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    rule = _rule(unit)
    outcome = Outcome()
    heads = await _heads(unit)
    for item in unit.ids:
        if item not in heads:
            unit.note_missing(outcome, item, missing_record(MERGE, item, rule.name))
    countries = await unit.target.query(COUNTRIES)
    pull_rules = read_pull_rules(countries.rows)
    accounts = {item: text(row, "account__v") for item, row in heads.items()}
    wanted = sorted({account for account in accounts.values() if account})
    # The agreement of the account that is left decides; of any other one nothing but ids leaves the source Vault.
    allowed = await read_heads(unit.source, wanted, pull_rules)
    items = [item for item, account in accounts.items() if account in allowed]
    outcome.skipped.update(heads.keys() - set(items))
    if not items:
        return outcome
    keys = [(ACCOUNT, accounts[item]) for item in items]
    keys += [(ACCOUNT, text(heads[item], _DUPLICATE)) for item in items]
    # What still comes of either account is written before its contacts are merged, or after.
    async with unit.locks.hold(keys):
        found = await fetch(unit.source, rule.plan, items)
        outcome.skipped.update(found.filtered | found.missing)
        evaluation = await unit.evaluate(rule, found)
        await settle_references(unit.target, [evaluation])
        outcome.note(evaluation)
        await _save(unit, evaluation, outcome)
    return outcome


def _rule(unit: Transfer) -> CompiledRule:
    rules = [rule for rule in unit.rules() if MERGE in rule.target_objects]
    if len(rules) != 1:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that makes "
            f"{MERGE} records of {MERGE}, and has {len(rules)}; add it or correct the rules"
        )
    return unit.configuration.compiled(unit.route, rules[0])


async def _heads(unit: Transfer) -> dict[str, Row]:
    """Return the merges with the ids of their accounts, by id."""
    rows = await query_all(unit.source, statements(_HEAD, "id", unit.ids))
    return {str(row["id"]): row for row in rows}


@dataclass(slots=True)
class _Rows:
    """The rows to write, and ``owners``: the id of the merge in Vault CRM from which each row comes, by Link."""

    rows: KeyedRows
    owners: dict[str, str]


def _rows(
    evaluation: Evaluation,
    outcome: Outcome,
) -> _Rows:
    rule = evaluation.rule
    made = _Rows(KeyedRows(), {})
    for item, targets in evaluation.targets.items():
        values = targets[MERGE]
        link = values.get(LINK)
        if not link:
            outcome.fail(item, no_key(rule.name, MERGE, LINK))
            continue
        modified = text(evaluation.found.rows[item], MODIFIED)
        origin = Origin(item, MERGE, item, rule.name, values)
        made.rows.add(str(link), modified, origin)
        made.owners[str(link)] = item
    return made


async def _save(
    unit: Transfer,
    evaluation: Evaluation,
    outcome: Outcome,
) -> None:
    made = _rows(evaluation, outcome)
    results = await save(unit, MERGE, made.rows, LINK)
    for link, result in results.items():
        if not result.ok:
            failure = not_saved(MERGE, evaluation.rule, result)
            outcome.fail(made.owners[link], failure)
    outcome.succeed(made.owners.values())
