"""Adds advice to errors, and replaces names in them by the labels that users see on the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import Field, VaultObject

ADVICE: Mapping[ErrorType, str] = {
    ErrorType.MALFORMED_URL: "The menu leads to every page, and the box at the top finds every record.",
    ErrorType.METHOD_NOT_SUPPORTED: "Open the page that has the form, and use its buttons.",
    ErrorType.INSUFFICIENT_ACCESS: "Ask an administrator for the permission, or sign in as somebody who has it.",
    ErrorType.EXCEEDS_FILE_MAX_SIZE: "Go back and send less at once.",
    ErrorType.API_LIMIT_EXCEEDED: "Wait a minute, then open the page again.",
    ErrorType.RACE_CONDITION: "Open the page again: it shows what has changed meanwhile.",
    ErrorType.CONFIGURATION_MODE_ENABLED: "The Vault is being configured; try again in a few minutes.",
    ErrorType.UNEXPECTED_ERROR: "Try it again; if it fails again, tell an administrator the time of the failure.",
}
IN_BRACKETS = re.compile(r"\[([a-z][a-z0-9_.]*)\]")
OTHERWISE = "Go back to the page that led here; what it showed may have changed or been deleted meanwhile."


def advice_on(error: ApiError) -> str:
    """Return the advice on the page of an error."""
    return ADVICE.get(error.type, OTHERWISE)


class Labelled(Protocol):
    """An input of a form, with the two names that errors and pages have for it."""

    @property
    def name(self) -> str:
        """Return its API name."""

    @property
    def label(self) -> str:
        """Return its label on the page."""


def labelled(errors: Iterable[ApiError], fields: Iterable[Field]) -> list[ApiError]:
    """Return errors with the labels of fields in place of the fields' names in brackets."""
    labels: dict[str, str] = {}
    for each in fields:
        # Some messages have both label and name: the name is dropped.
        labels[f"{each.label} [{each.name}]"] = each.label
        labels[f"[{each.name}]"] = f"[{each.label}]"
    return [replace(each, message=_replaced(each.message, labels)) for each in errors]


def in_input_labels(text: str, inputs: Iterable[Labelled]) -> str:
    """Return a text with the labels of a form's inputs in place of their names in brackets."""
    return _replaced(text, {f"[{each.name}]": f"[{each.label}]" for each in inputs})


def _replaced(text: str, labels: Mapping[str, str]) -> str:
    for name, label in labels.items():
        text = text.replace(name, label)
    return text


def in_labels(text: str, registry: Registry, target: VaultObject | None = None) -> str:
    """Return a text with labels in place of the names in brackets: of objects, of ``object.field``, of fields.

    Fields without their object are those of ``target``.
    """
    fields = target.fields if target is not None else {}

    def label(found: re.Match[str]) -> str:
        name = found[1]
        if name in fields:
            return f"[{fields[name].label}]"
        words = field_words(name, registry) or object_words(name, registry)
        return f"[{words}]" if words else found[0]

    return IN_BRACKETS.sub(label, text)


def in_words(text: str, registry: Registry) -> str:
    """Return a text with labels in place of the names of objects and fields.

    A field is written ``object.field``, or looked up in the object that was named last before it.
    """
    words: list[str] = []
    target = None
    for word in text.split(" "):
        name = word.rstrip(".,;:")
        rest = word[len(name) :]
        # Names have no capital letters, but the first word of a sentence may have one.
        name = name[:1].lower() + name[1:]
        label = field_words(name, registry)
        if (named := registry.objects.get(name)) is not None:
            target, label = named, named.label
        elif target is not None and name in target.fields:
            label = target.fields[name].label
        words.append(f"{label}{rest}" if label else word)
    return " ".join(words)


def field_words(path: str, registry: Registry) -> str:
    """Return the labels of an object and its field, written ``object.field``; empty where this Vault has none."""
    name, _, field = path.partition(".")
    target = registry.objects.get(name)
    if target is None or field not in target.fields:
        return ""
    return f"{target.label}: {target.fields[field].label}"


def object_words(name: str, registry: Registry) -> str:
    """Return the label of an object; empty where this Vault has none of this name."""
    target = registry.objects.get(name)
    return target.label if target else ""
