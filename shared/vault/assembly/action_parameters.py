"""Describes the parameters of entry actions, so that a form can ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ParameterKind(Enum):
    """The kind of value of an entry action's parameter, which decides the input of its form."""

    FIELD = "field"
    TEXT = "text"
    QUEUE = "queue"
    USER_ACTION = "user action"


@dataclass(frozen=True, slots=True)
class ActionParameter:
    """One parameter, with its name in components."""

    name: str
    label: str
    kind: ParameterKind
    help: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class EntryActionForm:
    """An entry action as a form offers it: its label, and its parameters in the order of the form."""

    label: str
    parameters: tuple[ActionParameter, ...]


# Of every action that puts a message on a queue.
OF_MESSAGES = (
    ActionParameter("queue", "Spark Queue", ParameterKind.QUEUE),
    ActionParameter(
        "integration_point",
        "Integration Point",
        ParameterKind.TEXT,
        "API name in the Vault that receives the message",
    ),
    ActionParameter(
        "event", "Event", ParameterKind.TEXT, "the name of what has happened"
    ),
)
