"""Reads the HCP of each inquiry, from the account or the inquiry itself, as the country's agreement allows."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from services.connector.points.case_contacts import Contact
from services.connector.points.evaluation import (
    Evaluation,
    Row,
    SourceRows,
    fetch,
    missing_record,
    query_all,
    read_rows,
)
from services.connector.points.transfer import Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import contains, statements
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.record_access import RecordAccess
from shared.client.errors import VaultRefused
from shared.client.results import text
from shared.runtime.waiting import concurrently

ACCOUNT = "account__v"
ACCOUNT_POINT = "account_inbound__v"
ACCOUNT_COUNTRY = "primary_country__vr.country_code__v"
COUNTRIES = (
    "SELECT id, country_code__v, pull_accounts_rule__v, status__v FROM country__v"
)
COUNTRY_CODE = ("country__v", "country_code__v")
"""How most rules refer to countries, all of which COUNTRIES reads."""
WITH_TRANSFERRED_INQUIRY = "id IN (SELECT id FROM medical_inquiries__vr WHERE transfer_status__v = 'success__v')"
_PARTS = str.maketrans("(), ", "....")  # what stands between the names of an expression
_HEAD = f"SELECT id, global_id__sys, {ACCOUNT_COUNTRY} FROM {ACCOUNT}"  # noqa: S608  VQL of names


class PullRule(StrEnum):
    """The Pull Accounts Rule of a country's data usage agreement: which accounts the Medical Vault may pull."""

    PULL = "pull_accounts__v"
    WITH_INQUIRIES = "only_accounts_with_inquiries__v"
    DO_NOT_PULL = "do_not_pull_accounts__v"


PullRules = Mapping[str, PullRule]
"""Pull Accounts Rules by country code."""


def rule_name(rule: PullRule) -> str:
    """Return the name of the integration rule for a Pull Accounts Rule."""
    match rule:
        case PullRule.PULL:
            return "account__v"
        case PullRule.WITH_INQUIRIES:
            return "only_accounts_with_inquiries__v"
        case PullRule.DO_NOT_PULL:
            # A rule that reads what the inquiry itself says of its account.
            return "do_not_pull_from_accounts__v"
        case _:
            assert_never(rule)


def read_pull_rules(countries: Iterable[Mapping[str, object]]) -> dict[str, PullRule]:
    """Return the Pull Accounts Rules of countries, by country code."""
    rules: dict[str, PullRule] = {}
    for row in countries:
        code = text(row, "country_code__v")
        if code:
            rules[code] = _pull_rule(text(row, "pull_accounts_rule__v"))
    return rules


def _pull_rule(value: str) -> PullRule:
    # For a country without a value, or with one unknown to this connector, the most restrictive rule applies.
    try:
        return PullRule(value)
    except ValueError:
        return PullRule.DO_NOT_PULL


def account_rule(
    pull_rules: PullRules,
    country_code: str,
    account: str,
) -> PullRule:
    """Return an inquiry's Pull Accounts Rule: DO_NOT_PULL without an account or a known country."""
    if not account:
        return PullRule.DO_NOT_PULL
    return pull_rules.get(country_code, PullRule.DO_NOT_PULL)


def readable(pull_rules: PullRules) -> str | None:
    """Return the condition of accounts that may be read; None when no account may be."""
    codes = sorted(
        code for code, rule in pull_rules.items() if rule is not PullRule.DO_NOT_PULL
    )
    return contains(ACCOUNT_COUNTRY, codes) if codes else None


def visible(pull_rules: PullRules) -> tuple[str, ...]:
    """Return conditions of accounts that may be shown with their current data; an account meets at most one of them.

    In countries where only accounts with inquiries may be pulled, an account may be shown after an inquiry's transfer.
    """
    conditions = []
    pulled = _countries(pull_rules, PullRule.PULL)
    if pulled:
        conditions.append(contains(ACCOUNT_COUNTRY, pulled))
    with_inquiries = _countries(pull_rules, PullRule.WITH_INQUIRIES)
    if with_inquiries:
        countries = contains(ACCOUNT_COUNTRY, with_inquiries)
        conditions.append(f"{countries} AND {WITH_TRANSFERRED_INQUIRY}")
    return tuple(conditions)


def _countries(
    pull_rules: PullRules,
    wanted: PullRule,
) -> list[str]:
    return sorted(code for code, rule in pull_rules.items() if rule is wanted)


def account_columns(unit: Transfer, plan: QueryPlan) -> frozenset[str]:
    """Return the columns of a plan that read related accounts, or records behind them."""
    source = unit.configuration.sources.get(plan.object)
    fields = source.fields.values() if source else ()
    leading = {field.outbound for field in fields if field.object == ACCOUNT}
    return frozenset(
        name
        for name, expression in plan.columns.items()
        if not leading.isdisjoint(expression.translate(_PARTS).split("."))
    )


@dataclass(frozen=True, slots=True)
class Partitions:
    """Inquiries grouped by the Pull Accounts Rule of their country, with the account of each."""

    by_rule: Mapping[PullRule, tuple[str, ...]]
    account_of: Mapping[str, str]

    @property
    def accounts(self) -> set[str]:
        """Return the account ids of these inquiries, whether the accounts may be read or not."""
        return {account for account in self.account_of.values() if account}


@dataclass(slots=True)
class _Source:
    """The source of the HCPs of inquiries under one rule: rows of accounts, or the inquiries' own rows."""

    rule: CompiledRule
    found: SourceRows
    evaluation: Evaluation
    key_of: Mapping[str, str]

    def contact_of(self, inquiry: str) -> Contact | ItemFailure:
        """Return the HCP of an inquiry, or why there is none."""
        key = self.key_of[inquiry]
        rule = self.rule
        targets = self.evaluation.targets.get(key)
        if targets is not None:
            return Contact.of(inquiry, rule, key, self.found.rows[key], targets)
        # Unlike a filtered account of its own message, that of an inquiry is a failure: the inquiry needs its
        # contact.
        if key in self.found.filtered:
            return _left_out(rule.plan.object, key, rule.name)
        if key in self.found.missing:
            return missing_record(rule.plan.object, key, rule.name)
        return self.evaluation.failures[key]


@dataclass(slots=True)
class HcpRecords:
    """The HCP records of a batch, with their rows and evaluations."""

    _sources: list[_Source] = field(default_factory=list)
    _source_of: dict[str, _Source] = field(default_factory=dict)

    def add(
        self,
        source: _Source,
        inquiries: Iterable[str],
    ) -> None:
        """Record the source of the HCPs of these inquiries."""
        self._sources.append(source)
        self._source_of.update(dict.fromkeys(inquiries, source))

    @property
    def items(self) -> KeysView[str]:
        """Return the inquiries, or accounts, whose HCPs have been read."""
        return self._source_of.keys()

    @property
    def evaluations(self) -> list[Evaluation]:
        """Return the evaluated HCP rows, whose references are still to be settled."""
        return [source.evaluation for source in self._sources]

    @property
    def left_out(self) -> set[str]:
        """Return the keys of HCPs that a query object rule leaves out."""
        return {key for source in self._sources for key in source.found.filtered}

    def warnings_of(self, inquiries: Iterable[str]) -> dict[str, ItemFailure]:
        """Return the warnings about the HCPs of these inquiries, by inquiry."""
        found = {}
        for inquiry in inquiries:
            source = self._source_of[inquiry]
            key = source.key_of[inquiry]
            warning = source.evaluation.warnings.get(key)
            if warning is not None:
                found[inquiry] = warning
        return found

    def contact_of(self, inquiry: str) -> Contact | ItemFailure:
        """Return the HCP of an inquiry, or why there is none."""
        return self._source_of[inquiry].contact_of(inquiry)


async def partition(
    source: RecordAccess,
    rows: Mapping[str, Row],
    pull_rules: PullRules,
) -> Partitions:
    """Choose each inquiry's rule before any account is read: by its own country, else by that of its account.

    The country of an account that its agreement excludes from reading stays unknown.

    :raises ClientError: one of the calls fails.
    """
    account_of = {item: text(row, "account__v") for item, row in rows.items()}
    codes = {
        item: text(row, "country__vr.country_code__v") for item, row in rows.items()
    }
    unknown = {account_of[item] for item, code in codes.items() if not code} - {""}
    # Only for inquiries that do not say their country, so that most batches save this read.
    if unknown:
        heads = await read_heads(source, sorted(unknown), pull_rules)
        of_account = {
            account: text(row, ACCOUNT_COUNTRY) for account, row in heads.items()
        }
        for item, code in codes.items():
            codes[item] = code or of_account.get(account_of[item], "")
    by_rule: dict[PullRule, list[str]] = {}
    for item, account in account_of.items():
        rule = account_rule(pull_rules, codes[item], account)
        by_rule.setdefault(rule, []).append(item)
    partitions = {rule: tuple(items) for rule, items in by_rule.items()}
    return Partitions(partitions, account_of)


async def read_heads(
    source: RecordAccess,
    accounts: Iterable[str],
    pull_rules: PullRules,
) -> dict[str, Row]:
    """Return id, Global ID and country of the accounts that may be read, by id.

    :raises ClientError: one of the calls fails.
    """
    # The condition goes with the query: of any other account nothing leaves the source Vault.
    condition = readable(pull_rules)
    if condition is None:
        return {}
    texts = statements(_HEAD, "id", accounts, conditions=condition)
    rows = await query_all(source, texts)
    return {str(row["id"]): row for row in rows}


async def read_hcps(
    unit: Transfer,
    partitions: Partitions,
    records: HcpRecords,
) -> None:
    """Read and evaluate the HCPs, each once however many inquiries name it, and add them to ``records``.

    :raises ConfigurationFault: a country's rule needs an integration rule that does not exist.
    :raises RuleError: an integration rule cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    # All rules are compiled before the first read: what is wrong with one of them concerns the whole unit.
    rules = {name: _compiled(unit, name) for name in partitions.by_rule}
    key_of: dict[PullRule, dict[str, str]] = {}
    for name, items in partitions.by_rule.items():
        reads_account = rules[name].plan.object == ACCOUNT
        accounts = partitions.account_of
        key_of[name] = {
            item: accounts[item] if reads_account else item for item in items
        }
    async with concurrently() as group:
        reads = {}
        for name, rule in rules.items():
            # Several inquiries of a batch often name one account.
            keys = list(dict.fromkeys(key_of[name].values()))
            reads[name] = group.create_task(
                fetch(
                    unit.source,
                    rule.plan,
                    keys,
                )
            )
    for name, rule in rules.items():
        found = reads[name].result()
        evaluation = await unit.evaluate(rule, found)
        source = _Source(rule, found, evaluation, key_of[name])
        records.add(source, partitions.by_rule[name])


async def read_pulled(unit: Transfer, pull_rules: PullRules) -> HcpRecords:
    """Read and evaluate those of the unit's accounts that their countries' agreements let be pulled in any case.

    The caller reads the unit's other accounts by their heads. These may include accounts of such a country: those that
    a query object rule leaves out, or all of them if the source Vault refuses the rule's query.

    :raises ClientError: one of the calls fails, for another reason than a refusal.
    """
    records = HcpRecords()
    codes = _countries(pull_rules, PullRule.PULL)
    rule = _pulling(unit) if codes else None
    if rule is None:
        return records
    # The condition goes with the query, so that nothing of any other account leaves the source Vault.
    conditions = filter(None, (rule.plan.conditions, contains(ACCOUNT_COUNTRY, codes)))
    plan = replace(rule.plan, conditions=" AND ".join(conditions))
    try:
        found = await read_rows(unit.source, plan, unit.ids)
    # No error yet: the unit may have no account of these countries. If it has one, the read by heads fails for it.
    except VaultRefused:
        return records
    if found.rows:
        evaluation = await unit.evaluate(rule, found)
        accounts = {account: account for account in found.rows}
        records.add(_Source(rule, found, evaluation, accounts), accounts)
    return records


def _pulling(unit: Transfer) -> CompiledRule | None:
    """Return the compiled integration rule of the Pull Accounts Rule PULL; None where it cannot be carried out."""
    # No error yet: perhaps no account needs the rule. If one does, the read by heads fails for it.
    try:
        return _compiled(unit, PullRule.PULL)
    except (ConfigurationFault, RuleError):
        return None


def _compiled(unit: Transfer, pull_rule: PullRule) -> CompiledRule:
    """Return the compiled integration rule of a Pull Accounts Rule; it belongs to the account point.

    :raises ConfigurationFault: there is no such active rule that reads accounts or the unit's object.
    :raises RuleError: the rule cannot be compiled.
    """
    name = rule_name(pull_rule)
    for rule in unit.configuration.rules_of(unit.route, ACCOUNT_POINT):
        if rule.role == name:
            # A rule of that name which reads something else is a mistake in the configuration, not another rule.
            if rule.primary_query_object not in (ACCOUNT, unit.object):
                break
            compiled = unit.configuration.compiled(unit.route, rule)
            if pull_rule is PullRule.DO_NOT_PULL:
                _require_no_account(unit, compiled)
            return compiled
    raise ConfigurationFault(
        f"Integration point {ACCOUNT_POINT} has no active integration rule {name} that reads {ACCOUNT} or "
        f"{unit.object}, which the Pull Accounts Rule of a country asks for; activate it or add it"
    )


def _require_no_account(unit: Transfer, rule: CompiledRule) -> None:
    """Check that a rule for accounts that may not be read reads none.

    :raises ConfigurationFault: it reads one.
    """
    if rule.plan.object == ACCOUNT or account_columns(unit, rule.plan):
        raise ConfigurationFault(
            f"Integration rule {rule.name} is for countries whose agreement does not permit to read {ACCOUNT}, and "
            "reads it; remove the field rules that do, or read the inquiry instead"
        )


def _left_out(
    object_name: str,
    key: str,
    rule: str,
) -> ItemFailure:
    return ItemFailure(
        ItemErrorType.SOURCE,
        f"{object_name} {key} is left out by a query object rule of integration rule {rule}, so the inquiry has no "
        "Case Contact; correct the filter or the record",
        rule,
    )
