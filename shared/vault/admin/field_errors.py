"""Puts the errors of a refused call next to the inputs that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.admin.inputs import Input
    from shared.vault.errors import ApiError


def at_fields(inputs: Iterable[Input], errors: Sequence[ApiError]) -> list[Input]:
    """Return the inputs, each with the messages of the errors that name its field in brackets."""
    return [_with_errors(each, errors) for each in inputs]


def with_error_texts(inputs: Iterable[Input], texts: Mapping[str, str]) -> list[Input]:
    """Return the inputs with error texts; ``texts`` has the texts by field name.

    The field's own name in brackets is removed from its text.
    """
    return [
        replace(each, error=texts[each.name].replace(f" [{each.name}]", ""))
        if each.name in texts
        else each
        for each in inputs
    ]


def _with_errors(field: Input, errors: Sequence[ApiError]) -> Input:
    mark = f"[{field.name}]"
    messages = [each.message for each in errors if mark in each.message]
    # People know the field by its label, which some messages have beside its name.
    plain = [each.replace(f"{field.label} {mark}", field.label) for each in messages]
    readable = [each.replace(mark, field.label) for each in plain]
    return replace(field, error=" ".join(readable)) if readable else field
