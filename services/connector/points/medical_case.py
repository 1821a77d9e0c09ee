"""Case Inbound, in Vault CRM: a Case Request that was started in the Medical Vault becomes an inquiry of its account.

Inquiry and Case Request are tied both ways: the inquiry's Link is the Global ID of the request, and the request's Link
that of the inquiry. So what becomes of the request returns like that of any other, and the inquiry, at Success from the
beginning, is never transferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.connector.points.case_contacts import LINK, SOURCE_DATA
from services.connector.points.evaluation import (
    Evaluation,
    Row,
    fetch,
    missing_record,
    query_all,
    settle_references,
)
from services.connector.points.hcp import ACCOUNT
from services.connector.points.inquiry import INQUIRY, SUCCESS
from services.connector.points.point import Point, Reading
from services.connector.points.saving import (
    KeyedRows,
    Origin,
    not_saved,
    save,
    write_back,
)
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.vql_text import statements
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import text

CONTACT = "case__vr.case_contact__v"
STARTED = f"{LINK} = null AND {CONTACT} != null"
"""The condition of Case Requests that came from no CRM, and concern somebody."""

GLOBAL_ID = "global_id__sys"


async def transfer(unit: Transfer) -> Outcome:
    """Make an inquiry of each Case Request whose Case Contact is tied to one account here; all others are skipped.

    Raises ClientError and OutdatedRead; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    rule = _rule(unit)
    found = await fetch(unit.source, rule.plan, unit.ids)
    outcome = Outcome(skipped=set(found.filtered))
    for item in found.missing:
        unit.note_missing(outcome, item, missing_record(unit.object, item, rule.name))
    started = {
        item: row
        for item, row in found.rows.items()
        if not text(row, LINK) and text(row, CONTACT)
    }
    account_of = await _accounts(unit, started, outcome)
    outcome.skipped.update(
        found.rows.keys() - account_of.keys() - outcome.failures.keys()
    )
    evaluation = unit.evaluate(
        rule, replace(found, rows={item: found.rows[item] for item in account_of})
    )
    await settle_references(unit.target, [evaluation])
    for item, failure in evaluation.failures.items():
        outcome.fail(item, failure)
    outcome.warn(evaluation.warnings)
    await _save(unit, evaluation, account_of, outcome)
    return outcome


async def _save(
    unit: Transfer,
    evaluation: Evaluation,
    account_of: Mapping[str, str],
    outcome: Outcome,
) -> None:
    """Save the inquiries, and tie the Case Requests to them."""
    inquiries, item_of = KeyedRows(), dict[str, str]()
    for item, targets in evaluation.targets.items():
        row = evaluation.found.rows[item]
        link = str(row[GLOBAL_ID])
        kept = {"account__v": account_of[item], "transfer_status__v": SUCCESS}
        origin = Origin(item, unit.object, item, evaluation.rule.name, targets[INQUIRY])
        inquiries.add(
            link, {**targets[INQUIRY], **kept}, text(row, "modified_date__v"), origin
        )
        item_of[link] = item
    made: dict[str, object] = {}
    for link, result in (await save(unit, INQUIRY, inquiries, LINK)).items():
        if result.ok:
            made[item_of[link]] = f"{unit.target.vault_id}_{result.id}"
        else:
            outcome.fail(
                item_of[link], not_saved(INQUIRY, evaluation.rule.name, result)
            )
    if unit.configuration.may_write_back(unit.source.vault_id):
        for item, failure in (
            await write_back(unit.source, unit.object, LINK, made, unit.lineage_back)
        ).items():
            outcome.fail(item, failure)
    outcome.succeed(made)


def _rule(unit: Transfer) -> CompiledRule:
    rules = [
        rule
        for rule in unit.configuration.rules_of(unit.route)
        if rule.primary_query_object == unit.object
    ]
    if len(rules) != 1 or rules[0].target_objects != (INQUIRY,):
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that reads "
            f"{unit.object} and writes {INQUIRY} only; correct its rules"
        )
    return unit.configuration.compiled(unit.route, rules[0], (LINK, CONTACT))


async def _accounts(
    unit: Transfer, started: Mapping[str, Row], outcome: Outcome
) -> dict[str, str]:
    """Account ids by Case Request, of those whose Case Contact is tied to one; several are a failure, not a guess."""
    people = dict.fromkeys(text(row, CONTACT) for row in started.values())
    head = f"SELECT person__v, {LINK} FROM {SOURCE_DATA}"  # noqa: S608  VQL of names
    ties = await query_all(unit.source, statements(head, "person__v", people))
    # A Link may be of another Vault, or of an inquiry, where the account's country lets nothing of it be pulled.
    links = dict.fromkeys(
        link
        for tie in ties
        if (link := text(tie, LINK)).startswith(f"{unit.target.vault_id}_")
    )
    head = f"SELECT id, {GLOBAL_ID} FROM {ACCOUNT}"  # noqa: S608  VQL of names
    known = await query_all(unit.target, statements(head, GLOBAL_ID, links))
    accounts = {text(row, GLOBAL_ID): str(row["id"]) for row in known}
    of_person: dict[str, set[str]] = {}
    for tie in ties:
        if account := accounts.get(text(tie, LINK)):
            of_person.setdefault(text(tie, "person__v"), set()).add(account)
    account_of: dict[str, str] = {}
    for item, row in started.items():
        found = sorted(of_person.get(text(row, CONTACT), ()))
        if len(found) > 1:
            outcome.fail(item, _ambiguous(found))
        elif found:
            account_of[item] = found[0]
    return account_of


def _ambiguous(accounts: list[str]) -> ItemFailure:
    return ItemFailure(
        ItemErrorType.MATCH,
        f"The Case Contact is tied to the accounts {', '.join(accounts)}; merge them, or delete the Source Data of "
        "those that it is not",
    )


async def _started(_target: RecordAccess, reading: Reading) -> Reading | None:
    """Case Requests that were started in the Medical Vault; those that are inquiries already have a Link."""
    return replace(reading, condition=STARTED)


POINT = Point("case_inbound__v", transfer, narrow=_started)
