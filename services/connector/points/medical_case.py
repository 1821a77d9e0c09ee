"""Runs *Case Inbound*: a Case Request from the Medical Vault becomes an inquiry of its account in Vault CRM.

Inquiry and Case Request refer to each other: the inquiry's Link is the Global ID of the request, and the request's Link
that of the inquiry. So the request's status returns like that of any other request. The inquiry begins with Transfer
Status Success, and is never transferred itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from services.connector.points.point import Point, Reading
from services.connector.points.saving import (
    KeyedRows,
    Origin,
    not_saved,
    save,
    write_back,
)
from services.connector.points.transfer import Outcome, Transfer
from services.connector.points.transfer_status import INQUIRY, STATUS, TransferStatus
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import MODIFIED, statements
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text

CONTACT = "case__vr.case_contact__v"
STARTED = f"{LINK} = null AND {CONTACT} != null"
"""The condition of Case Requests that came from no CRM, and concern somebody."""

GLOBAL_ID = "global_id__sys"
_TIES = f"SELECT person__v, {LINK} FROM {SOURCE_DATA}"  # noqa: S608  VQL of names
_ACCOUNTS = f"SELECT id, {GLOBAL_ID} FROM {ACCOUNT}"  # noqa: S608  VQL of names


async def transfer(unit: Transfer) -> Outcome:
    """Create an inquiry for each Case Request whose Case Contact belongs to exactly one account here; skip the others.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: the rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    rule = _rule(unit)
    found = await fetch(unit.source, rule.plan, unit.ids)
    outcome = Outcome(skipped=set(found.filtered))
    for item in found.missing:
        failure = missing_record(unit.object, item, rule.name)
        unit.note_missing(outcome, item, failure)
    # A request with a Link came from a CRM, or is an inquiry already.
    started = {
        item: row
        for item, row in found.rows.items()
        if not text(row, LINK) and text(row, CONTACT)
    }
    account_of = await _accounts(unit, started, outcome)
    settled = account_of.keys() | outcome.failures.keys()
    outcome.skipped.update(found.rows.keys() - settled)
    outcome.existing.update(
        item
        for item, row in found.rows.items()
        if text(row, LINK) and item in outcome.skipped
    )
    rows = {item: found.rows[item] for item in account_of}
    evaluation = await unit.evaluate(rule, replace(found, rows=rows))
    await settle_references(unit.target, [evaluation])
    outcome.note(evaluation)
    await _save(unit, evaluation, account_of, outcome)
    return outcome


async def _save(
    unit: Transfer,
    evaluation: Evaluation,
    account_of: Mapping[str, str],
    outcome: Outcome,
) -> None:
    """Save the inquiries, and set the Links of the Case Requests to them."""
    rule = evaluation.rule
    inquiries = KeyedRows()
    item_of: dict[str, str] = {}
    for item, targets in evaluation.targets.items():
        row = evaluation.found.rows[item]
        link = str(row[GLOBAL_ID])
        ruled = targets[INQUIRY]
        own = {"account__v": account_of[item], STATUS: TransferStatus.SUCCESS}
        origin = Origin(item, unit.object, item, rule.name, ruled, own)
        inquiries.add(link, text(row, MODIFIED), origin)
        item_of[link] = item
    results = await save(unit, INQUIRY, inquiries, LINK)
    made: dict[str, object] = {}
    for link, result in results.items():
        item = item_of[link]
        if result.ok:
            # The Global ID of the new inquiry, which the result of the write does not contain.
            made[item] = f"{unit.target.vault_id}_{result.id}"
        else:
            outcome.fail(item, not_saved(INQUIRY, rule, result))
    if unit.configuration.may_write_back(unit.source.vault_id):
        lineage = unit.lineage_back
        refused = await write_back(
            unit.source,
            unit.object,
            LINK,
            made,
            lineage,
        )
        for item, failure in refused.items():
            outcome.fail(item, failure)
    outcome.succeed(made)


def _rule(unit: Transfer) -> CompiledRule:
    rules = unit.rules()
    if len(rules) != 1 or rules[0].target_objects != (INQUIRY,):
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that reads "
            f"{unit.object} and writes {INQUIRY} only; correct its rules"
        )
    # These two fields decide whether a request is transferred, so they are read even if the rule does not map them.
    return unit.configuration.compiled(unit.route, rules[0], (LINK, CONTACT))


async def _accounts(
    unit: Transfer,
    started: Mapping[str, Row],
    outcome: Outcome,
) -> dict[str, str]:
    """Return account ids by Case Request, for Case Contacts of one account.

    A contact of several accounts is a failure.
    """
    people = dict.fromkeys(text(row, CONTACT) for row in started.values())
    of_person = await _accounts_of_people(unit, people)
    account_of: dict[str, str] = {}
    for item, row in started.items():
        accounts = sorted(of_person.get(text(row, CONTACT), ()))
        # Which of several accounts has asked cannot be known here; a person has to say.
        if len(accounts) > 1:
            outcome.fail(item, _ambiguous(accounts))
        elif accounts:
            account_of[item] = accounts[0]
    return account_of


async def _accounts_of_people(
    unit: Transfer,
    people: Iterable[str],
) -> dict[str, set[str]]:
    """Return Case Contact id → ids of this Vault's accounts, by the Source Data of the Case Contacts."""
    texts = statements(_TIES, "person__v", people)
    ties = await query_all(unit.source, texts)
    # A Link may be of another Vault, or of an inquiry, where the account's country lets nothing of it be pulled.
    own = f"{unit.target.vault_id}_"
    links = dict.fromkeys(text(tie, LINK) for tie in ties)
    here = [link for link in links if link.startswith(own)]
    texts = statements(_ACCOUNTS, GLOBAL_ID, here)
    rows = await query_all(unit.target, texts)
    accounts = {text(row, GLOBAL_ID): str(row["id"]) for row in rows}
    of_person: dict[str, set[str]] = {}
    for tie in ties:
        account = accounts.get(text(tie, LINK))
        if account:
            of_person.setdefault(text(tie, "person__v"), set()).add(account)
    return of_person


def _ambiguous(accounts: list[str]) -> ItemFailure:
    names = ", ".join(accounts)
    return ItemFailure(
        ItemErrorType.MATCH,
        f"The Case Contact is tied to the accounts {names}; merge them, or delete the Source Data of "
        "those that it is not",
    )


async def _started(
    _target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Narrow a reading to the Case Requests that were started in the Medical Vault."""
    return replace(reading, condition=STARTED)


POINT = Point(
    "case_inbound__v",
    transfer,
    narrow=_started,
    share=PointShare(keys=True, fills=frozenset({LINK, "account__v", STATUS})),
)
