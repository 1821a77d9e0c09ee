"""Reads the definition of a workflow from its component: steps, participants, verdicts, decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Embedded
from shared.vault.components.lifecycles import last_name
from shared.vault.components.strict_xml import XmlFault, parse_xml
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # reads no XML itself  # nosec B405

    from shared.vault.components.component_tree import Component
    from shared.vault.model.component_model import Scalar

__all__ = [
    "Assignment",
    "DecisionRule",
    "FieldPrompt",
    "ParticipantControl",
    "Step",
    "StepKind",
    "TaskCondition",
    "Verdict",
    "VerdictMatch",
    "WorkflowDefinition",
    "read_workflow",
]

VERDICT = "verdict_public_key__c"
OWNER = "workflow_owner__sys"
"""The participant that every workflow has: its owner."""
ENVELOPE = "envelope_lifecycle__sys"
"""The lifecycle of workflows that documents enter; ``document_lifecycles`` may restrict the documents."""

_USER_TASK = "userTask"
MAX_STEPS = 200


class StepKind(StrEnum):
    """The types of step that this Vault carries out."""

    START = "start"
    TASK = "usertask"
    DECISION = "decision"
    CHANGE_STATE = "changestate"
    NOTIFICATION = "notification"
    END = "end"


class Assignment(StrEnum):
    """Who gets a task: each of its participants, or the one who accepts it."""

    ANY = "any"
    EACH = "each"


class VerdictMatch(StrEnum):
    """How a decision compares the verdicts of a task with the verdict of its condition."""

    ANY = "any_label"
    ALL = "all_label"


@dataclass(frozen=True, slots=True)
class FieldPrompt:
    """A field of the record that the user enters with a task or a verdict."""

    object: str
    field: str
    required: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict of a task; ``comment`` is the label of the comment that the user enters with it."""

    name: str
    label: str
    fields: tuple[FieldPrompt, ...] = ()
    comment: str = "Comment"
    comment_required: bool = False
    esignature: bool = False

    @property
    def comment_name(self) -> str:
        """Return the name under which a caller sends the comment: ``{verdict}_comment__c``."""
        return f"{self.name.removesuffix('__c')}_comment__c"


@dataclass(frozen=True, slots=True)
class ParticipantControl:
    """Participants: members of roles on the records, users in fields, groups, or users whom the initiator chooses."""

    name: str
    label: str
    roles: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def chosen(self) -> bool:
        """Return whether the initiator has to name the participants."""
        return not (self.roles or self.fields or self.groups)


@dataclass(frozen=True, slots=True)
class TaskCondition:
    """A condition that is met when any or all verdicts (``match``) in the last round of a task have this label."""

    step: str
    label: str
    match: VerdictMatch


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """One branch of a decision; one without conditions is taken when no rule before it applies."""

    next_steps: tuple[str, ...]
    task: TaskCondition | None = None
    criteria: str = ""


@dataclass(frozen=True)
class Step:
    """One step; ``kind``, None for an unsupported type, decides which of the other members are set."""

    name: str
    label: str
    kind: StepKind | None
    type: str
    next_steps: tuple[str, ...]
    instructions: str = ""
    participant: str = ""
    assignment: Assignment = Assignment.EACH
    verdicts: tuple[Verdict, ...] = ()
    fields: tuple[FieldPrompt, ...] = ()
    rules: tuple[DecisionRule, ...] = ()
    next_state: str = ""
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def verdict(self, name: str) -> Verdict | None:
        """Return the verdict with a name, or None."""
        return next((each for each in self.verdicts if each.name == name), None)


@dataclass(frozen=True)
class WorkflowDefinition:
    """A workflow: the lifecycles whose records or documents enter it, its steps, and the controls of its start step."""

    name: str
    label: str
    active: bool
    lifecycles: tuple[str, ...]
    steps: Mapping[str, Step]
    participants: Mapping[str, ParticipantControl]
    multiple: bool = False
    cancellation_comment: bool = False
    document_lifecycles: tuple[str, ...] = ()

    @property
    def of_documents(self) -> bool:
        """Return whether documents enter the workflow, not records."""
        return ENVELOPE in self.lifecycles

    @property
    def start(self) -> Step | None:
        """Return the start step, or None."""
        starts = (step for step in self.steps.values() if step.kind is StepKind.START)
        return next(starts, None)

    def problems(self) -> list[str]:
        """Return a text for each reason why this Vault cannot carry out the workflow, with the name of the step."""
        found = [] if self.start else ["it has no step of type start"]
        for step in self.steps.values():
            path = f"Objectworkflowstep {step.name}"
            found += [f"{path}: {text}" for text in _of_step(step, self)]
        return found


def read_workflow(component: Component) -> WorkflowDefinition:
    """Return the workflow that a component defines; its ``problems`` list the unsupported parts."""
    parts = component.children_of(PartKind.WORKFLOW_STEP)
    steps = {part.name: _step(part) for part in parts}
    participants: dict[str, ParticipantControl] = {}
    for part in component.children_of(PartKind.WORKFLOW_STEP):
        if part.text("type") == StepKind.START:
            for control in _controls(_detail(part)[0], "participant"):
                participants[control.get("name", "")] = _participant(control)
    return WorkflowDefinition(
        component.name,
        component.text("label", component.name),
        component.flag("active", True),
        tuple(map(last_name, component.texts("object_lifecycles"))),
        steps,
        participants,
        component.text("cardinality") == "OneOrMany",
        component.flag("cancellation_comment"),
        tuple(map(last_name, component.texts("document_lifecycles"))),
    )


def _step(part: Component) -> Step:
    root, problem = _detail(part)
    problems = [problem] if problem else []
    type_name = part.text("type")
    kind = StepKind(type_name) if type_name in frozenset(StepKind) else None
    instructions = [
        _text(each, "instructions") for each in _controls(root, "instructions")
    ]
    verdicts = _verdicts(root)
    rules, unknown = _rules(root)
    named = _attribute(root, "assignment", "participant") or part.text("participant")
    any_one = _attribute(root, "assignmentType", "type") == Assignment.ANY
    return Step(
        part.name,
        part.text("label", part.name),
        kind,
        type_name,
        tuple(map(last_name, part.texts("next_steps"))),
        "\n".join(filter(None, instructions)),
        named,
        Assignment.ANY if any_one else Assignment.EACH,
        verdicts,
        tuple(_of_controls(root)),
        rules,
        last_name(_content(root, "nextstate")),
        part.attributes,
        (*problems, *unknown),
    )


def _of_step(step: Step, definition: WorkflowDefinition) -> Iterator[str]:
    yield from step.problems
    if step.kind is None:
        yield f"steps of type {step.type[:60] or '(none)'} are not carried out here"
    for name in (
        *step.next_steps,
        *(each for rule in step.rules for each in rule.next_steps),
    ):
        if name not in definition.steps:
            yield f"there is no step {name[:120]}"
    match step.kind:
        case StepKind.TASK if step.participant not in {OWNER, *definition.participants}:
            yield f"there is no participant {step.participant[:120] or '(none)'}"
        case StepKind.CHANGE_STATE if not step.next_state:
            yield "it names no state"
        case StepKind.DECISION if not step.rules:
            yield "it has no rules"
        case StepKind.NOTIFICATION if not step.parameters.get("subject"):
            yield "give subject, body, and participants, users, groups or fields"
        case _:
            pass
    for verdict in step.verdicts:
        if verdict.esignature:
            yield f"verdict {verdict.name}: signatures are not taken here"


# The XML of steps


def _detail(part: Component) -> tuple[Element | None, str]:
    """Return the root element of a step's XML and an empty text; for XML that cannot be read, None and the reason."""
    value = part.first("step_detail")
    text = value.content if isinstance(value, Embedded) else str(value or "")
    if not text.strip():
        return None, ""
    try:
        # Its declaration may name an encoding, which bytes alone may have.
        return parse_xml(text.strip().encode()), ""
    except XmlFault as fault:
        return None, f"step_detail {fault.message}"


def _found(root: Element | None, tag: str) -> list[Element]:
    return [] if root is None else list(root.iter(tag))


def _controls(root: Element | None, kind: str) -> list[Element]:
    controls = _found(root, "control")
    return [control for control in controls if control.get("type") == kind]


def _attribute(root: Element | None, tag: str, name: str) -> str:
    for element in _found(root, tag):
        return element.get(name, "")
    return ""


def _content(root: Element | None, tag: str) -> str:
    for element in _found(root, tag):
        return (element.text or "").strip()
    return ""


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or element.get("label") or "").strip()


def _participant(control: Element) -> ParticipantControl:
    def named(tag: str) -> tuple[str, ...]:
        references = [each.get("reference", "") for each in control.iter(tag)]
        return tuple(last_name(each) for each in references if each)

    name = control.get("name", "")
    return ParticipantControl(
        name,
        control.get("label") or name,
        named("role"),
        named("field"),
        named("group"),
    )


def _verdicts(root: Element | None) -> tuple[Verdict, ...]:
    found: list[Verdict] = []
    for control in _controls(root, "verdict"):
        for each in control.findall("verdict"):
            comment = each.find("comment")
            label = "" if comment is None else comment.get("label", "")
            found.append(
                Verdict(
                    each.get("name", ""),
                    each.get("label", "") or each.get("name", ""),
                    tuple(_prompts(each)),
                    label or "Comment",
                    comment is not None and _is_true(comment.get("required")),
                    _is_true(each.get("esignature")),
                )
            )
    return tuple(found)


def _of_controls(root: Element | None) -> Iterator[FieldPrompt]:
    """Yield the fields that the user enters with a task, whatever the verdict."""
    for control in _controls(root, "field"):
        yield from _prompts(control)


def _prompts(owner: Element) -> Iterator[FieldPrompt]:
    for each in owner.findall("field"):
        kind, _, path = each.get("reference", "").partition(".")
        if kind == ComponentKind.DOCUMENT_FIELD:
            path = f"{DOCUMENTS}.{path}"
        object_name, _, name = path.partition(".")
        if name:
            yield FieldPrompt(object_name, name, _is_true(each.get("required")))


def _rules(root: Element | None) -> tuple[tuple[DecisionRule, ...], list[str]]:
    """Return the rules of a decision, and the texts of unsupported conditions."""
    rules: list[DecisionRule] = []
    problems: list[str] = []
    for rule in _found(root, "rule"):
        steps = tuple(
            last_name((each.text or "").strip()) for each in rule.iter("nextStep")
        )
        conditions = rule.findall("expression")
        criteria = (rule.findtext("criteria") or "").strip()
        task = _task_condition(conditions) if conditions else None
        if conditions and task is None:
            problems.append("a rule has a condition that is not evaluated here")
        rules.append(DecisionRule(steps, task, criteria))
    return tuple(rules), problems


def _task_condition(conditions: Sequence[Element]) -> TaskCondition | None:
    """Return the condition on a task's verdict; None for any other condition."""
    if len(conditions) != 1:
        return None
    (function,) = conditions
    if not function.get("qualifier", "").endswith(_USER_TASK):
        return None
    parts = function.findall("expression")
    groups = [each for each in parts if each.get("operator") == "argumentGroup"]
    methods = [each for each in parts if each.get("operator") == "method"]
    arguments = {
        (each.findtext("value") or "").strip(): _argument(each) for each in groups
    }
    method = (methods[0].findtext("value") or "").strip() if methods else ""
    step, label = arguments.get("ARGUMENT_GROUP1"), arguments.get("ARGUMENT_GROUP2")
    if method not in frozenset(VerdictMatch) or not step or not label:
        return None
    return TaskCondition(last_name(step), label, VerdictMatch(method))


def _argument(group: Element) -> str:
    return (group.findtext("expression/value") or "").strip()


def _is_true(value: str | None) -> bool:
    return value == "true"
