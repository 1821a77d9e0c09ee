"""The HCP of each inquiry, read from the Account or the inquiry itself as the country's agreement allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.connector.points.case_contacts import Contact
from services.connector.points.evaluation import (
    Evaluation,
    Row,
    SourceRows,
    fetch,
    missing_record,
    query_all,
)
from services.connector.points.transfer import Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.vql_text import contains, statements
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import text
from shared.runtime.concurrency import concurrently

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


ACCOUNT = "account__v"
HEAD = f"SELECT id, global_id__sys, {ACCOUNT_COUNTRY} FROM {ACCOUNT}"  # noqa: S608  VQL of names


@dataclass(frozen=True, slots=True)
class Partitions:
    """Inquiries by the account rule that applies to them, with the account of each."""

    by_rule: Mapping[str, tuple[str, ...]]
    account_of: Mapping[str, str]

    @property
    def accounts(self) -> set[str]:
        """The accounts of these inquiries, read or not."""
        return {account for account in self.account_of.values() if account}


@dataclass(slots=True)
class _Source:
    """Where the inquiries of one account rule find their HCP: in the row of an account, or in their own."""

    rule: CompiledRule
    found: SourceRows
    evaluation: Evaluation
    key_of: Mapping[str, str]


@dataclass(slots=True)
class HcpRecords:
    """What was read of the HCPs of a batch."""

    _sources: list[_Source] = field(default_factory=list)
    _source_of: dict[str, _Source] = field(default_factory=dict)

    def add(self, source: _Source, inquiries: Iterable[str]) -> None:
        """Note where these inquiries find their HCP."""
        self._sources.append(source)
        self._source_of.update(dict.fromkeys(inquiries, source))

    @property
    def evaluations(self) -> list[Evaluation]:
        """The evaluated HCP rows, whose references are still to be settled."""
        return [source.evaluation for source in self._sources]

    @property
    def left_out(self) -> set[str]:
        """The keys of HCPs that a query object rule leaves out."""
        return {key for source in self._sources for key in source.found.filtered}

    def warnings_of(self, inquiries: Iterable[str]) -> dict[str, ItemFailure]:
        """What was left unset in the HCPs of these inquiries, by inquiry."""
        found = {}
        for inquiry in inquiries:
            source = self._source_of[inquiry]
            warning = source.evaluation.warnings.get(source.key_of[inquiry])
            if warning is not None:
                found[inquiry] = warning
        return found

    def contact_of(self, inquiry: str) -> Contact | ItemFailure:
        """The HCP of an inquiry, or why there is none."""
        source = self._source_of[inquiry]
        key, rule = source.key_of[inquiry], source.rule
        if key in source.found.filtered:
            return _left_out(rule.plan.object, key, rule.name)
        if key in source.found.missing:
            return missing_record(rule.plan.object, key, rule.name)
        if key in source.evaluation.failures:
            return source.evaluation.failures[key]
        return Contact.of(
            inquiry, rule, key, source.found.rows[key], source.evaluation.targets[key]
        )


async def partition(
    source: RecordAccess, rows: Mapping[str, Row], pull_rules: Mapping[str, str]
) -> Partitions:
    """Choose each inquiry's account rule before any account is read; raises ClientError.

    The country is the inquiry's own, else the account's; one whose agreement forbids that it is read stays unknown.
    """
    account_of = {item: text(row, "account__v") for item, row in rows.items()}
    codes = {
        item: text(row, "country__vr.country_code__v") for item, row in rows.items()
    }
    unknown = {
        account_of[item]
        for item, code in codes.items()
        if not code and account_of[item]
    }
    if unknown:
        heads = await read_heads(source, sorted(unknown), pull_rules)
        of_account = {
            account: text(row, ACCOUNT_COUNTRY) for account, row in heads.items()
        }
        codes = {
            item: code or of_account.get(account_of[item], "")
            for item, code in codes.items()
        }
    by_rule: dict[str, list[str]] = {}
    for item, account in account_of.items():
        by_rule.setdefault(account_rule(pull_rules, codes[item], account), []).append(
            item
        )
    return Partitions(
        {name: tuple(items) for name, items in by_rule.items()}, account_of
    )


async def read_heads(
    source: RecordAccess, accounts: Iterable[str], pull_rules: Mapping[str, str]
) -> dict[str, Row]:
    """Global ID and country of the accounts that may be read, by id; raises ClientError.

    The source Vault applies the agreements itself: of any other account it answers nothing.
    """
    condition = readable(pull_rules)
    if condition is None:
        return {}
    rows = await query_all(
        source, statements(HEAD, "id", accounts, conditions=condition)
    )
    return {str(row["id"]): row for row in rows}


async def read_hcps(unit: Transfer, partitions: Partitions) -> HcpRecords:
    """Read and evaluate the HCPs, each once however many inquiries name it.

    Raises ClientError, and ConfigurationFault or RuleError when an account rule cannot be carried out.
    """
    rules = {name: _rule(unit, name) for name in partitions.by_rule}
    keys = {
        name: {
            item: partitions.account_of[item] if rule.plan.object == ACCOUNT else item
            for item in items
        }
        for (name, items), rule in zip(
            partitions.by_rule.items(), rules.values(), strict=True
        )
    }
    async with concurrently() as group:
        reads = {
            name: group.create_task(
                fetch(unit.source, rule.plan, list(dict.fromkeys(keys[name].values())))
            )
            for name, rule in rules.items()
        }
    records = HcpRecords()
    for name, rule in rules.items():
        found = reads[name].result()
        records.add(
            _Source(rule, found, unit.evaluate(rule, found), keys[name]),
            partitions.by_rule[name],
        )
    return records


def _rule(unit: Transfer, name: str) -> CompiledRule:
    for rule in unit.configuration.rules_of(unit.route, ACCOUNT_POINT):
        if rule.role == name:
            if rule.primary_query_object not in (ACCOUNT, unit.object):
                break
            return unit.configuration.compiled(unit.route, rule)
    raise ConfigurationFault(
        f"Integration point {ACCOUNT_POINT} has no active integration rule {name} that reads {ACCOUNT} or "
        f"{unit.object}, which the Pull Accounts Rule of a country asks for; activate it or add it"
    )


def _left_out(object_name: str, key: str, rule: str) -> ItemFailure:
    return ItemFailure(
        ItemErrorType.SOURCE,
        f"{object_name} {key} is left out by a query object rule of integration rule {rule}, so the inquiry has no "
        "Case Contact; correct the filter or the record",
        rule,
    )
