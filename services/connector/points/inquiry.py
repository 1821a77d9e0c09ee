"""Runs *Medical Inquiry Details Inbound*: an inquiry becomes Case Contact, Source Data, Case and Case Request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from services.connector.points import (
    finished_inquiries,
    inquiry_cases,
    inquiry_requests,
)
from services.connector.points.case_contacts import (
    LINK,
    PERSON,
    SOURCE_DATA,
    Contact,
    SavedContacts,
    save_contacts,
)
from services.connector.points.evaluation import (
    Evaluation,
    References,
    Row,
    SourceRows,
    missing_record,
    query_all,
)
from services.connector.points.hcp import (
    COUNTRIES,
    COUNTRY_CODE,
    HcpRecords,
    partition,
    read_hcps,
    read_pull_rules,
)
from services.connector.points.inquiry_cases import (
    CASE,
    CONTACT,
    existing_cases,
    group_link,
)
from services.connector.points.inquiry_reading import InquiryReading
from services.connector.points.point import SECOND, Point, Reading
from services.connector.points.saving import KeyedRows, Origin, not_saved, save
from services.connector.points.transfer import Outcome, Transfer
from services.connector.points.transfer_status import (
    INQUIRY,
    STATUS,
    TransferStatus,
    fail_all,
    report_transferred,
)
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import MODIFIED, Values, contains, statements
from services.connector.rules.rule import IntegrationRule
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordReads
from shared.client.results import RowResult, text
from shared.runtime.waiting import concurrently

CASE_REQUEST = inquiry_requests.CASE_REQUEST
_ACTIVE = "status__v = 'active__v'"
_EXTRA = ("account__v", "country__vr.country_code__v", STATUS)
"""Fields that the integration point itself reads of an inquiry."""


@dataclass(slots=True)
class Batch:
    """The inquiries still to be transferred, by id, with the HCP (contact key) that each names."""

    rows: dict[str, Row]
    evaluation: Evaluation
    outcome: Outcome
    hcp_of: dict[str, str] = field(default_factory=dict)

    @property
    def rule(self) -> CompiledRule:
        """Return the rule that makes Cases and Case Requests."""
        return self.evaluation.rule

    def live(self) -> list[str]:
        """Return the ids of the inquiries that have not failed so far."""
        return [item for item in self.rows if item not in self.outcome.failures]

    def modified(self, item: str) -> str:
        """Return the last modified date of an inquiry."""
        return text(self.rows[item], MODIFIED)

    def case(self, item: str) -> Values:
        """Return the fields of the Case that the rule fills from an inquiry."""
        return self.evaluation.targets[item].get(CASE, {})

    def request(self, item: str) -> Values:
        """Return the fields of the Case Request that the rule fills from an inquiry."""
        return self.evaluation.targets[item][CASE_REQUEST]

    def link(self, item: str) -> str:
        """Return the Link of the Case Request: the inquiry's Global ID, unless a field rule fills it otherwise."""
        ruled = self.request(item).get(LINK)
        return str(ruled or self.rows[item]["global_id__sys"])

    def origin(self, item: str, ruled: Values, own: Values) -> Origin:
        """Return the origin of a row: the rule has filled the fields ``ruled``, the integration point ``own``."""
        return Origin(item, INQUIRY, item, self.rule.name, ruled, own)


async def transfer(unit: Transfer) -> Outcome:
    """Transfer the unit's inquiries and set Success on them in CRM; a repetition creates no duplicates.

    :raises OutdatedRead: rows may be older than the stored records, or inquiries were changed since they were read.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: a rule of the point cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    rule = _inquiry_rule(unit)
    reading = InquiryReading.of(unit, rule.plan)
    async with concurrently() as group:
        countries = group.create_task(unit.opening(COUNTRIES))
        fetching = group.create_task(reading.begin(unit.ids))
    # The agreement in force now decides, not the one when the message was sent.
    pull_rules = read_pull_rules(countries.result().rows)
    found = await reading.complete(fetching.result(), pull_rules)
    outcome = Outcome(skipped=set(found.filtered))
    for item in found.missing:
        unit.note_missing(outcome, item, missing_record(INQUIRY, item, rule.name))
    finished = await _note_finished(unit, rule, found, outcome)
    rows = {item: row for item, row in found.rows.items() if item not in finished}
    if rows:
        evaluation = await unit.evaluate(rule, replace(found, rows=rows))
        batch = Batch(rows, evaluation, outcome)
        partitions = await partition(unit.source, rows, pull_rules)
        # Two units with inquiries of one account would otherwise write its contact side by side.
        keys = [("account__v", account) for account in partitions.accounts]
        async with unit.locks.hold(keys):
            references = References(
                unit.target, {COUNTRY_CODE: countries.result().rows}
            )
            hcps = HcpRecords()
            # Two Vaults, neither of which needs the other's answer.
            async with concurrently() as group:
                group.create_task(read_hcps(unit, partitions, hcps))
                group.create_task(references.look_up([evaluation]))
            await _write(unit, batch, hcps, references)
    again = partial(reading.again, pull_rules=pull_rules)
    await report_transferred(unit, again, rows, outcome)
    return outcome


def _inquiry_rule(unit: Transfer) -> CompiledRule:
    rules = [rule for rule in unit.rules() if CASE_REQUEST in rule.target_objects]
    if unit.object != INQUIRY or len(rules) != 1:
        raise ConfigurationFault(
            f"Integration point {unit.route.point.api_name} needs exactly one active integration rule that makes "
            f"{CASE_REQUEST} records of {INQUIRY}, and has {len(rules)} for {unit.object}; correct its rules"
        )
    source = unit.configuration.sources.get(INQUIRY)
    known = source.fields if source else {}
    # A CRM Vault may do without the fields of delivery details; selecting one of them would be an error there.
    optional = [name for name in inquiry_cases.SOURCE_FIELDS if name in known]
    return unit.configuration.compiled(unit.route, rules[0], (*_EXTRA, *optional))


async def _note_finished(
    unit: Transfer,
    rule: CompiledRule,
    found: SourceRows,
    outcome: Outcome,
) -> dict[str, Row]:
    """Record the inquiries with Transfer Status Success as done, and return them."""
    # They have their Cases; writing those again could undo what an agent has changed since.
    finished = {
        item: row
        for item, row in found.rows.items()
        if text(row, STATUS) == TransferStatus.SUCCESS
    }
    evaluation = await unit.evaluate(rule, replace(found, rows=finished))
    if unit.anew and finished:
        done = Batch(finished, evaluation, outcome)
        for item in await inquiry_requests.without_request(
            unit.target, evaluation.targets, done.link
        ):
            del finished[item]
        await finished_inquiries.correct(unit, evaluation, finished, done.link, outcome)
    outcome.succeed(finished)
    # A message that comes again repeats the warnings of the first time, so that they stay open until they are mended.
    outcome.warn(evaluation.warnings)
    return finished


async def _write(
    unit: Transfer,
    batch: Batch,
    hcps: HcpRecords,
    references: References,
) -> None:
    await references.look_up(hcps.evaluations)
    references.settle([batch.evaluation, *hcps.evaluations])
    for item, failure in batch.evaluation.failures.items():
        batch.outcome.fail(item, failure)
    # The first warning of an inquiry stays; that of its HCP goes before its own.
    batch.outcome.warn(hcps.warnings_of(batch.live()))
    batch.outcome.warn(batch.evaluation.warnings)
    contacts: dict[str, Contact] = {}
    for item in batch.live():
        contact = hcps.contact_of(item)
        if isinstance(contact, ItemFailure):
            batch.outcome.fail(item, contact)
        else:
            contacts[contact.key] = contact
            batch.hcp_of[item] = contact.key
    # Several inquiries of one account share its contact, so the contacts are by key.
    persons, warnings = await save_contacts(unit, list(contacts.values()))
    for item in batch.live():
        key = batch.hcp_of[item]
        if key in warnings:
            batch.outcome.warn({item: warnings[key]})
        person = persons[key]
        if isinstance(person, ItemFailure):
            batch.outcome.fail(item, person)
    preferred = await _preferred(unit, batch, persons)
    await _write_cases(unit, batch, contacts, persons, preferred)


async def _preferred(
    unit: Transfer,
    batch: Batch,
    persons: SavedContacts,
) -> dict[str, str]:
    """Return inquiry → id of its Preferred Contact Information, for inquiries whose Case Contact has it."""
    case = unit.configuration.targets.get(CASE)
    # A Medical Vault may be configured without that field.
    if case is None or inquiry_cases.PREFERRED not in case.fields:
        return {}
    wanted: dict[str, tuple[str, inquiry_cases.Detail]] = {}
    for item in batch.live():
        person = str(persons[batch.hcp_of[item]])
        # A person who was created just now has no information yet.
        if person in persons.new:
            continue
        detail = inquiry_cases.detail(batch.rows[item])
        if detail is not None:
            wanted[item] = (person, detail)
    people = dict.fromkeys(person for person, _ in wanted.values())
    head = inquiry_cases.INFORMATION_HEAD
    texts = statements(head, "person__v", people, conditions=_ACTIVE)
    rows = await query_all(unit.target, texts)
    information = inquiry_cases.PersonInformation(rows)
    found = {}
    for item, (person, detail) in wanted.items():
        record = information.find(person, detail)
        if record:
            found[item] = record
    return found


async def _write_cases(
    unit: Transfer,
    batch: Batch,
    contacts: Mapping[str, Contact],
    persons: SavedContacts,
    preferred: Mapping[str, str],
) -> None:
    """Write Source Data and Cases concurrently, then the Case Requests, which need the ids of the Cases."""
    source_data, cases = KeyedRows(), KeyedRows()
    made = _cases(unit, batch, persons, preferred)
    known = await existing_cases(unit.target, made.shared)
    for item in batch.live():
        contact = contacts[batch.hcp_of[item]]
        person = persons[contact.key]
        origin = contact.origin(contact.source_data, {"person__v": person})
        source_data.add(contact.link, contact.modified, origin)
        if made.links[item] in known.others:
            made.links[item] = batch.link(item)
        link = made.links[item]
        # The first of a group makes its Case. Those that come later leave it as it is: it may be an agent's by then.
        if link in known.ids or link in cases:
            continue
        origin = batch.origin(item, batch.case(item), made.own[item])
        cases.add(link, batch.modified(item), origin)
    async with concurrently() as group:
        data_saving = group.create_task(save(unit, SOURCE_DATA, source_data, LINK))
        case_saving = group.create_task(save(unit, CASE, cases, LINK))
    data_results = data_saving.result()
    case_results = case_saving.result()
    for link, case in known.ids.items():
        case_results[link] = RowResult(ok=True, id=case)
    requests = KeyedRows()
    for item, link in made.links.items():
        contact = contacts[batch.hcp_of[item]]
        data_result = data_results[contact.link]
        case_result = case_results[link]
        # The Case Request needs the id of its Case, and is not made without the Source Data of its contact.
        if not data_result.ok:
            failure = not_saved(SOURCE_DATA, contact.rule, data_result)
            batch.outcome.fail(item, failure)
        elif not case_result.ok:
            batch.outcome.fail(item, not_saved(CASE, batch.rule, case_result))
        else:
            _add_request(batch, requests, item, case_result.id)
    results = await save(unit, CASE_REQUEST, requests, LINK)
    _note_requests(batch, results)


@dataclass(slots=True)
class _Cases:
    """The Cases of a batch: Link, and fields that the integration point sets itself, by inquiry.

    ``shared`` has the contact's id by the Link of a group's Case.
    """

    links: dict[str, str] = field(default_factory=dict)
    own: dict[str, Values] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)


def _cases(
    unit: Transfer,
    batch: Batch,
    persons: SavedContacts,
    preferred: Mapping[str, str],
) -> _Cases:
    made = _Cases()
    for item in batch.live():
        person = persons[batch.hcp_of[item]]
        case = batch.case(item)
        own: Values = {CONTACT: person}
        if item in preferred:
            own[inquiry_cases.PREFERRED] = preferred[item]
        global_id = batch.rows[item]["global_id__sys"]
        shared = group_link(unit.source.vault_id, case, person, global_id)
        if shared is not None:
            made.shared[shared] = str(person)
        made.links[item] = shared or str(case.get(LINK) or batch.link(item))
        made.own[item] = own
    return made


def _add_request(
    batch: Batch,
    requests: KeyedRows,
    item: str,
    case: str | None,
) -> None:
    ruled = batch.request(item)
    origin = batch.origin(item, ruled, {"case__v": case})
    requests.add(batch.link(item), batch.modified(item), origin)


def _note_requests(
    batch: Batch,
    results: Mapping[str, RowResult],
) -> None:
    for item in batch.live():
        result = results.get(batch.link(item))
        if result is not None and not result.ok:
            failure = not_saved(CASE_REQUEST, batch.rule, result)
            batch.outcome.fail(item, failure)
    batch.outcome.succeed(batch.live())


async def _pending_or_failed(
    _target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Narrow a reading to Pending and Failed inquiries: a run also retries those whose messages failed."""
    wanted = (TransferStatus.PENDING, TransferStatus.FAILED)
    return replace(reading, condition=contains(STATUS, wanted))


def _evaluates(rule: IntegrationRule) -> bool:
    """Return whether a rule makes Case Requests of inquiries."""
    reads_inquiries = rule.primary_query_object == INQUIRY
    return reads_inquiries and CASE_REQUEST in rule.target_objects


POINT = Point(
    "medical_inquiry_details_inbound__v",
    transfer,
    order=SECOND,
    narrow=_pending_or_failed,
    opening=COUNTRIES,
    narrow_all=inquiry_requests.transferred_inquiries,
    object=INQUIRY,
    linked=frozenset({PERSON, SOURCE_DATA, CASE, CASE_REQUEST}),
    share=PointShare(
        keys=True,
        fills=frozenset({LINK, CONTACT, "case__v"}),
        writes=frozenset({CASE, CASE_REQUEST}),
        evaluates=_evaluates,
    ),
    mark_failed={INQUIRY: fail_all},
)
