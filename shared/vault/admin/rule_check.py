"""Checks a rule before it is saved: whether it is valid, its faults, and its result for a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.vault.admin.preview_labels import PreviewLabels, preview_labels
from shared.vault.admin.rule_choices import Choice, records_of
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.description import configuration_json
from shared.vault.components.evolution import steps
from shared.vault.components.rule_changes import RULE
from shared.vault.components.rule_warnings import rule_warnings
from shared.vault.components.statement import Change, Command, Statement
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.admin.connector_sessions import Source
    from shared.vault.admin.page_context import PageContext
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry

# What an id of a record is at most; longer texts are words to search for.
ID_LENGTH = 15


@dataclass(slots=True)
class RuleCheck:
    """The result of checking a rule.

    ``refusal`` is the reason why the rule would not be saved, empty when it would. ``record`` is the id of the
    previewed record, ``records`` are the ids and names to choose from. ``preview`` is the connector's answer,
    ``words`` are the labels for it, and ``error`` is the reason why it is missing.
    """

    rule: Component
    refusal: str = ""
    warnings: list[str] = field(default_factory=list)
    source: Source | None = None
    record: str = ""
    records: list[Choice] = field(default_factory=list)
    preview: Mapping[str, Any] | None = None
    words: PreviewLabels | None = None
    error: ApiError | None = None

    @property
    def name(self) -> str:
        """Return the name of the previewed record; empty when it is not among the records to choose from."""
        return dict(self.records).get(self.record, "")

    def record_text(self, record: str) -> str:
        """Return the text of the record's input: the record's name if it is unique in the list, else ``record``."""
        names = [name for _, name in self.records]
        return self.name if self.name and names.count(self.name) == 1 else record

    @property
    def object(self) -> str:
        """Return the object whose records the rule reads."""
        primary = self.rule.text("primary_query_object")
        parts = self.rule.children_of("Fieldrule")
        queried = (part.text("query_object") for part in parts)
        return primary or next((each for each in queried if each), "")


def checked(
    registry: Registry, rule: Component, changes: tuple[Change, ...]
) -> RuleCheck:
    """Return a check of the changed rule; of the unchanged rule with ``refusal`` when the changes would be refused."""
    statement = Statement(Command.ALTER, RULE, rule.name, 1, changes=changes)
    try:
        taken = steps(statement, registry) if changes else []
    except ComponentError as error:
        return RuleCheck(rule, refusal=str(error))
    after = taken[-1].after if taken else registry
    altered = after.components[RULE, rule.name]
    return RuleCheck(altered, warnings=rule_warnings(altered, after))


async def preview(
    context: PageContext, check: RuleCheck, source: Source | None, record: str
) -> None:
    """Add the preview to a check; ``record`` is the id or a part of the name of a source record."""
    check.source = source
    if source is None or not source.has_session or not check.object:
        return
    try:
        words = record if len(record) != ID_LENGTH else ""
        check.records = await records_of(context, source, check.object, words)
        check.record = _chosen(record, check.records)
        if check.record and not check.refusal:
            shown = await _previewed(context, check, source)
            check.words = await preview_labels(context, check.rule, source, shown)
            check.preview = shown
    except VaultFault as fault:
        check.error = fault.error


def _chosen(record: str, records: list[Choice]) -> str:
    """Return the id for ``record``, an id or the name of one of ``records``; empty when no single record matches.

    A text that is no name is taken for the only record in ``records``, which a search has found.
    """
    if len(record) == ID_LENGTH or record in dict(records):
        return record
    found = [record_id for record_id, _ in records]
    exact = [record_id for record_id, name in records if name == record]
    if len(exact) == 1:
        return exact[0]
    # The words of a search have found one record only.
    return found[0] if record and len(found) == 1 else ""


async def _previewed(
    context: PageContext, check: RuleCheck, source: Source
) -> Mapping[str, Any]:
    """Return the connector's preview of the record.

    :raises VaultFault: as ``ConnectorQuestions.ask``.
    """
    question = {
        "ids": [check.record],
        "rule": configuration_json(check.rule),
        "source": source.vault_id,
        "object": check.object,
    }
    found = await context.vault.connector.ask(
        "previews", sessions=source.sessions, json=question
    )
    shown: Mapping[str, Any] = found[0]
    return shown
