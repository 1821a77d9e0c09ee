"""Medical Inquiry Details Inbound: an inquiry becomes Case Contact, Source Data, Case and Case Request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from services.connector.points import preferred_contact
from services.connector.points.case_contacts import Contact, save_contacts
from services.connector.points.evaluation import (
    Evaluation,
    Row,
    fetch,
    missing_record,
    query_all,
    settle_references,
)
from services.connector.points.hcp import (
    COUNTRIES,
    HcpRecords,
    partition,
    read_hcps,
    read_pull_rules,
)
from services.connector.points.point import SECOND, Point, Reading
from services.connector.points.saving import (
    KeyedRows,
    Origin,
    not_saved,
    save,
    write_back,
)
from services.connector.points.transfer import Outcome, Transfer, UnitLineage
from services.connector.rules.compiled import CompiledRule, Values
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.vql_text import contains, statements
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import RowResult, text
from shared.runtime.concurrency import concurrently

INQUIRY = "medical_inquiry__v"
CASE = "case__v"
CASE_REQUEST = "case_request__v"
SOURCE_DATA = "case_contact_source_data__v"
KEY = "link__sys"
EXTRA = ("account__v", "country__vr.country_code__v", "transfer_status__v")
OPTIONAL = preferred_contact.SOURCE_FIELDS


@dataclass(slots=True)
class Batch:
    """The inquiries still to be transferred and what is known of each, by inquiry id."""

    rows: dict[str, Row]
    evaluation: Evaluation
    outcome: Outcome
    hcp_of: dict[str, str] = field(default_factory=dict)

    def live(self) -> list[str]:
        """The inquiries that nothing has gone wrong with so far."""
        return [item for item in self.rows if item not in self.outcome.failures]

    def origin(self, item: str, ruled: Values) -> Origin:
        """Where a row of an inquiry comes from, of which the rule has given these fields."""
        return Origin(item, INQUIRY, item, self.evaluation.rule.name, ruled)


async def transfer(unit: Transfer) -> Outcome:
    """Transfer the unit's inquiries and set their Transfer Status in CRM; repeating it makes nothing twice.

    Raises ClientError and OutdatedRead; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    rule = _inquiry_rule(unit)
    async with concurrently() as group:
        countries = group.create_task(unit.target.query(COUNTRIES))
        fetching = group.create_task(fetch(unit.source, rule.plan, unit.ids))
    found = fetching.result()
    outcome = Outcome(skipped=set(found.filtered))
    for item in found.missing:
        unit.note_missing(outcome, item, missing_record(INQUIRY, item, rule.name))
    # An inquiry at Success has its Case; writing it again could undo what an agent has changed since.
    finished = {
        item
        for item, row in found.rows.items()
        if text(row, "transfer_status__v") == SUCCESS
    }
    outcome.succeed(finished)
    # What was left unset in it then is told again by a message that comes again.
    told = {item: found.rows[item] for item in finished}
    outcome.warn(unit.evaluate(rule, replace(found, rows=told)).warnings)
    rows = {item: row for item, row in found.rows.items() if item not in finished}
    if rows:
        batch = Batch(rows, unit.evaluate(rule, replace(found, rows=rows)), outcome)
        pull_rules = read_pull_rules(countries.result().rows)
        partitions = await partition(unit.source, rows, pull_rules)
        # Two units with inquiries of one account would otherwise write its contact side by side.
        async with unit.locks.hold(
            ("account__v", account) for account in partitions.accounts
        ):
            hcps = await read_hcps(unit, partitions)
            await _write(unit, batch, hcps)
    await _report(unit, outcome, set(rows))
    return outcome


def _inquiry_rule(unit: Transfer) -> CompiledRule:
    rules = [
        rule
        for rule in unit.configuration.rules_of(unit.route)
        if rule.primary_query_object == unit.object
        and CASE_REQUEST in rule.target_objects
    ]
    if unit.object != INQUIRY or len(rules) != 1:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that makes "
            f"{CASE_REQUEST} records of {INQUIRY}, and has {len(rules)} for {unit.object}; correct its rules"
        )
    source = unit.configuration.sources.get(INQUIRY)
    optional = (
        name for name in OPTIONAL if source is not None and name in source.fields
    )
    return unit.configuration.compiled(unit.route, rules[0], (*EXTRA, *optional))


async def _write(unit: Transfer, batch: Batch, hcps: HcpRecords) -> None:
    evaluations = [batch.evaluation, *hcps.evaluations]
    await settle_references(unit.target, evaluations)
    for item, failure in batch.evaluation.failures.items():
        batch.outcome.fail(item, failure)
    batch.outcome.warn(batch.evaluation.warnings | hcps.warnings_of(batch.live()))
    contacts: dict[str, Contact] = {}
    for item in batch.live():
        contact = hcps.contact_of(item)
        if isinstance(contact, ItemFailure):
            batch.outcome.fail(item, contact)
        else:
            contacts[contact.key] = contact
            batch.hcp_of[item] = contact.key
    persons = await save_contacts(unit, list(contacts.values()))
    for item in batch.live():
        person = persons[batch.hcp_of[item]]
        if isinstance(person, ItemFailure):
            batch.outcome.fail(item, person)
    preferred = await _preferred(unit, batch, persons)
    await _write_cases(unit, batch, contacts, persons, preferred)


async def _preferred(
    unit: Transfer, batch: Batch, persons: Mapping[str, str | ItemFailure]
) -> dict[str, str]:
    """Ids of Preferred Contact Information by inquiry, of those whose Case Contact has it."""
    case = unit.configuration.targets.get(CASE)
    if case is None or preferred_contact.TARGET_FIELD not in case.fields:
        return {}
    wanted: dict[str, tuple[str, preferred_contact.Detail]] = {}
    for item in batch.live():
        detail = preferred_contact.detail(batch.rows[item])
        if detail is not None:
            wanted[item] = (str(persons[batch.hcp_of[item]]), detail)
    people = dict.fromkeys(person for person, _ in wanted.values())
    texts = statements(
        preferred_contact.HEAD,
        "person__v",
        people,
        conditions="status__v = 'active__v'",
    )
    information = preferred_contact.PersonInformation(
        await query_all(unit.target, texts)
    )
    return {
        item: found
        for item, (person, detail) in wanted.items()
        if (found := information.find(person, detail))
    }


async def _write_cases(
    unit: Transfer,
    batch: Batch,
    contacts: Mapping[str, Contact],
    persons: Mapping[str, str | ItemFailure],
    preferred: Mapping[str, str],
) -> None:
    source_data, cases, case_links = KeyedRows(), KeyedRows(), dict[str, str]()
    for item in batch.live():
        contact, person = contacts[batch.hcp_of[item]], persons[batch.hcp_of[item]]
        data = {**contact.source_data, "person__v": person}
        source_data.add(
            contact.link, data, contact.modified, contact.origin(contact.source_data)
        )
        ruled = batch.evaluation.targets[item].get(CASE, {})
        values = {**ruled, "case_contact__v": person}
        if item in preferred:
            values[preferred_contact.TARGET_FIELD] = preferred[item]
        # A field rule may give several inquiries one link: they share a Case then.
        case_links[item] = str(values.get(KEY) or _link(batch, item))
        cases.add(
            case_links[item],
            values,
            text(batch.rows[item], "modified_date__v"),
            batch.origin(item, ruled),
        )
    async with concurrently() as group:
        data_saving = group.create_task(save(unit, SOURCE_DATA, source_data, KEY))
        case_saving = group.create_task(save(unit, CASE, cases, KEY))
    data_results, case_results = data_saving.result(), case_saving.result()
    rule = batch.evaluation.rule.name
    requests = KeyedRows()
    for item, case_link in case_links.items():
        data_result, case_result = (
            data_results[contacts[batch.hcp_of[item]].link],
            case_results[case_link],
        )
        if not data_result.ok:
            batch.outcome.fail(item, not_saved(SOURCE_DATA, None, data_result))
        elif not case_result.ok:
            batch.outcome.fail(item, not_saved(CASE, rule, case_result))
        else:
            ruled = _request_values(batch, item)
            values = {**ruled, "case__v": case_result.id}
            modified = text(batch.rows[item], "modified_date__v")
            requests.add(
                _link(batch, item), values, modified, batch.origin(item, ruled)
            )
    results = await save(unit, CASE_REQUEST, requests, KEY)
    _note_requests(batch, results, rule)


def _note_requests(batch: Batch, results: Mapping[str, RowResult], rule: str) -> None:
    for item in batch.live():
        result = results.get(_link(batch, item))
        if result is not None and not result.ok:
            batch.outcome.fail(item, not_saved(CASE_REQUEST, rule, result))
    batch.outcome.succeed(batch.live())


def _link(batch: Batch, item: str) -> str:
    """What the Case Request is known by: the inquiry's Global ID, unless a field rule says otherwise."""
    return str(
        _request_values(batch, item).get(KEY) or batch.rows[item]["global_id__sys"]
    )


def _request_values(batch: Batch, item: str) -> Values:
    return batch.evaluation.targets[item][CASE_REQUEST]


async def _report(unit: Transfer, outcome: Outcome, transferred: set[str]) -> None:
    """Set Transfer Status of the inquiries of this run that exist; one that cannot be set is a failure."""
    if not unit.configuration.may_write_back(unit.source.vault_id):
        return
    statuses = {
        item: FAILED if item in outcome.failures else SUCCESS for item in transferred
    }
    for item, failure in (
        await set_status(unit.source, statuses, unit.lineage_back)
    ).items():
        outcome.fail(item, failure)


INQUIRY = "medical_inquiry__v"


SUCCESS, FAILED = "success__v", "failed__v"


async def set_status(
    source: RecordAccess, statuses: Mapping[str, str], unit: UnitLineage | None
) -> dict[str, ItemFailure]:
    """Set the Transfer Status of inquiries by id; the failures of those that the Vault did not take.

    ``unit`` is the lineage that it keeps, if it does. Raises ClientError.
    """
    return await write_back(source, INQUIRY, "transfer_status__v", statuses, unit)


async def fail_all(
    source: RecordAccess, ids: Collection[str], unit: UnitLineage | None
) -> None:
    """Set Failed on inquiries of a message that could not be processed; those at Success keep it.

    ``unit`` as there. Raises ClientError.
    """
    head = f"SELECT id, transfer_status__v FROM {INQUIRY}"  # noqa: S608  VQL, literals quoted
    rows = await query_all(source, statements(head, "id", ids))
    open_ids = [
        str(row["id"])
        for row in rows
        if text(row, "transfer_status__v") not in (SUCCESS, FAILED)
    ]
    await set_status(source, dict.fromkeys(open_ids, FAILED), unit)


async def _open(_target: RecordAccess, reading: Reading) -> Reading | None:
    """Inquiries that were to be transferred and are not yet: a run mends what a message could not."""
    condition = contains("transfer_status__v", ("pending__v", "failed__v"))
    return replace(reading, condition=condition)


POINT = Point(
    "medical_inquiry_details_inbound__v",
    transfer,
    order=SECOND,
    narrow=_open,
    mark_refused={INQUIRY: fail_all},
)
