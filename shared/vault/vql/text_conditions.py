"""Compiles which texts a condition takes for equal, and how the search index finds records with them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from shared.vault.model.field_types import traits
from shared.vault.vql.operands import LeftSide
from shared.vault.vql.syntax_tree import Literal
from shared.vault.vql.word_index import narrowed


def equals(left: LeftSide, value: Literal, at: int) -> str:
    """Return the condition that a column has a value.

    :raises VqlNameError: the literal does not suit the field.
    """
    if not isinstance(value, str):
        return f"{left.sql} = {left.bind(value, at)}"
    condition = _equality(left, value, at)
    # Values that half of the records have are compared with "=" as well: those are read in the order of ids, until a
    # page is full.
    if not (left.covered and left.ignore_case):
        return condition
    return narrowed(left.scope, condition, value, whole=True)


def unequal(left: LeftSide, value: Literal, at: int) -> str:
    """Return the condition that a column has another value or none.

    :raises VqlNameError: the literal does not suit the field.
    """
    # It also holds for records without a value.
    if isinstance(value, str) and len(_forms(left, value)) > 1:
        return f"({_equality(left, value, at)}) IS NOT TRUE"
    return f"{left.sql} IS DISTINCT FROM {left.bind(value, at)}"


def among_texts(left: LeftSide, values: Sequence[Literal], at: int) -> str:
    """Return the condition that a column has one of some values.

    :raises VqlNameError: a literal does not suit the field.
    """
    # Most values have one form only: a list of thousands of ids stays the list that it is.
    texts = (value for value in values if isinstance(value, str))
    further = [form for text in texts for form in _forms(left, text)[1:]]
    holder = left.bind_list([*values, *further] if further else values, at)
    if left.ignore_case:
        # Both sides are lowered by PostgreSQL, whose rules for case are not Python's.
        return f"{left.sql} IN (SELECT platform.caseless(v) FROM unnest({holder}) AS v)"
    return f"{left.sql} = ANY({holder})"


def like(left: LeftSide, segments: Sequence[str], at: int) -> str:
    """Return the condition that a text has these parts in their order, the first one at its beginning.

    :raises VqlNameError: the field has no text.
    """
    patterns = [
        "%".join(map(_like_text, form.split("\0")))
        for form in _forms(left, "\0".join(segments))
    ]
    if len(patterns) == 1:
        condition = f"{left.sql} LIKE {left.bind(patterns[0], at)}"
    else:
        condition = f"{left.sql} LIKE ANY({left.bind_list(patterns, at)})"
    if not left.covered:
        return condition
    whole = len(segments) == 1
    return narrowed(left.scope, condition, segments[0], whole=whole)


def _equality(left: LeftSide, value: str, at: int) -> str:
    forms = _forms(left, value)
    if len(forms) == 1:
        return f"{left.sql} = {left.bind(value, at)}"
    return f"{left.sql} = ANY({left.bind_list(forms, at)})"


def _forms(left: LeftSide, text: str) -> list[str]:
    """Return a text as it is written, and then composed and decomposed where these are other texts.

    Keys have one form: those that integrations match by stay what they are to the last byte. Without regard to case,
    PostgreSQL composes both sides itself.
    """
    is_key = left.field.unique or not traits(left.field.type).plain_text
    if is_key or left.ignore_case or text.isascii():
        return [text]
    composed = unicodedata.normalize("NFC", text)
    decomposed = unicodedata.normalize("NFD", text)
    return list(dict.fromkeys((text, composed, decomposed)))


def _like_text(segment: str) -> str:
    # VQL has the wildcard % only; in SQL _ is one too. The backslash first: the others bring their own.
    escaped = segment.replace("\\", r"\\")
    return escaped.replace("%", r"\%").replace("_", r"\_")
