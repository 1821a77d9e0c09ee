"""Reads the input with which a caller completes a task: a verdict for all records or for each, comments, fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.components.workflow_definitions import (
    VERDICT,
    FieldPrompt,
    Step,
    Verdict,
)
from shared.vault.errors import VaultFault
from shared.vault.workflows.workflow_table import Judgement

if TYPE_CHECKING:
    from shared.vault.workflows.workflow_table import Item, WorkflowRow

COMMENT = "task_comment__v"
CONTENTS = "contents__sys"
MAX_COMMENT = 1500

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Completion:
    """The input that completes a task: the verdict on each record, values of fields by record, a comment."""

    judgements: Sequence[Judgement]
    fields: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    comment: str | None = None

    @property
    def summary(self) -> str:
        """Return the distinct verdicts, for the audit trail."""
        labels = dict.fromkeys(each.label for each in self.judgements if each.label)
        return ", ".join(labels)


def completing_verdicts(
    step: Step,
    workflow: WorkflowRow,
    values: Values,
    noted: Mapping[int, Judgement],
) -> Completion:
    """Return the input in a call for the records of a workflow; ``noted`` are verdicts for omitted records.

    :raises VaultFault: PARAMETER_REQUIRED for what the task needs; INVALID_DATA for a verdict or record that it does
        not have; ATTRIBUTE_NOT_SUPPORTED for what it does not ask for.
    """
    comment = _comment(values.get(COMMENT))
    common = {
        name: each for name, each in values.items() if name not in (COMMENT, CONTENTS)
    }
    contents = values.get(CONTENTS)
    judgements: list[Judgement] = []
    fields: dict[str, Mapping[str, object]] = {}
    by_record = _by_record(contents, workflow) if contents else {}
    for item in workflow.items:
        own = {**common, **by_record.get(item.record_id, {})}
        if item.id in noted and not own:
            judgements.append(noted[item.id])
            continue
        judgement, named = _judged(step, workflow.object, item, own)
        judgements.append(judgement)
        if named:
            fields[item.record_id] = named
    return Completion(judgements, fields, comment)


def content_verdicts(step: Step, workflow: WorkflowRow, values: Values) -> Completion:
    """Return the input in ``contents__sys`` of a call for some records of a workflow, before the task is completed.

    :raises VaultFault: as ``completing_verdicts``; PARAMETER_REQUIRED without records.
    """
    contents = values.get(CONTENTS)
    if not contents:
        raise _required(CONTENTS)
    for name in values:
        if name != CONTENTS:
            message = f"The task takes no parameter [{name[:100]}]"
            raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    by_record = _by_record(contents, workflow)
    judgements: list[Judgement] = []
    fields: dict[str, Mapping[str, object]] = {}
    for item in workflow.items:
        if item.record_id in by_record:
            judgement, named = _judged(
                step, workflow.object, item, by_record[item.record_id]
            )
            judgements.append(judgement)
            if named:
                fields[item.record_id] = named
    return Completion(judgements, fields)


def _by_record(contents: object, workflow: WorkflowRow) -> dict[str, Values]:
    """Return the values for each record, of a list of objects with ``object__v`` and ``record_id__v``."""
    if not isinstance(contents, list) or not all(
        isinstance(each, dict) for each in contents
    ):
        raise _invalid(f"[{CONTENTS}] is not a list of objects")
    known = set(workflow.record_ids)
    found: dict[str, Values] = {}
    for each in contents:
        own = dict(each)
        # Documents have no object, and may be named by their own parameter.
        document_id = own.pop("document_id__v", "")
        record_id = str(own.pop("record_id__v", document_id))
        if (
            own.pop("object__v", workflow.object) != workflow.object
            or record_id not in known
        ):
            raise _invalid(f"[{CONTENTS}] names a record that is not in the workflow")
        found[record_id] = own
    return found


def _judged(
    step: Step, object_name: str, item: Item, values: Values
) -> tuple[Judgement, dict[str, object]]:
    """Return the verdict on one record, and the values of its fields."""
    left = dict(values)
    name = str(left.pop(VERDICT, "") or "")
    verdict = step.verdict(name) if name else None
    if step.verdicts and not name:
        raise _required(VERDICT)
    if name and verdict is None:
        raise _invalid(f"The task has no verdict [{name[:100]}]")
    comment = None
    if verdict is not None:
        comment = _comment(left.pop(verdict.comment_name, None))
        if verdict.comment_required and comment is None:
            raise _required(verdict.comment_name)
    prompts = (*step.fields, *(verdict.fields if verdict else ()))
    fields = _fields(prompts, object_name, left)
    # The page's form sends the comments of all verdicts, and those of others are empty.
    others = {each.comment_name for each in step.verdicts}
    for key, value in left.items():
        if key not in others or _text(value):
            message = f"The task takes no parameter [{key[:100]}]"
            raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    return _judgement(item, verdict, comment), fields


def _judgement(item: Item, verdict: Verdict | None, comment: str | None) -> Judgement:
    if verdict is None:
        return Judgement(item.id, None, None, comment)
    return Judgement(item.id, verdict.name, verdict.label, comment)


def _fields(
    prompts: Sequence[FieldPrompt], object_name: str, left: dict[str, object]
) -> dict[str, object]:
    """Take the requested fields out of the values: by ``{object}.{field}``, or by the field's own name."""
    found: dict[str, object] = {}
    for prompt in prompts:
        if prompt.object != object_name:
            continue
        whole = f"{prompt.object}.{prompt.field}"
        value = left.pop(whole, None)
        own = left.pop(prompt.field, None)
        value = own if value is None else value
        if _text(value):
            found[prompt.field] = value
        elif prompt.required:
            raise _required(whole)
    return found


def _comment(value: object) -> str | None:
    text = _text(value)
    if len(text) > MAX_COMMENT:
        raise _invalid(f"A comment has at most {MAX_COMMENT} characters")
    return text or None


def _text(value: object) -> str:
    # PostgreSQL takes no NUL character in a text.
    return "" if value is None else str(value).replace("\x00", "").strip()


def _required(name: str) -> VaultFault:
    message = f"Missing required parameter [{name}]"
    return VaultFault(ErrorType.PARAMETER_REQUIRED, message)


def _invalid(message: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, message)
