"""Adds the words of a searched text to its condition, so that the search index finds the matching records."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from shared.vault.model.field_types import has_index, words_sql
from shared.vault.vql.resolve import Scope

# As platform.folded in migration 0030.
_MARKS = re.compile("[\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff]")
_WORD = re.compile(r"\w++")
_PLAIN_WORD = re.compile(r"[a-z0-9_]++")
_LETTERS = str.maketrans(
    dict(
        zip(
            "\u0131\u0142\u00f8\u0111\u0127\u0167\u0180\u0268\u0138\u03c2",
            "ilodhtbiq\u03c3",
            strict=True,
        )
    )
    | {"\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u00fe": "th"}
)

NOTHING: Mapping[str, Mapping[str, str]] = {}


def narrowed(
    scope: Scope,
    condition: str,
    searched: str,
    *,
    whole: bool,
    labels: str | None = None,
    outside: Mapping[str, Mapping[str, str]] = NOTHING,
) -> str:
    """Return a condition that is met only by records with the words of ``searched``, together with these words.

    The words must be in fields that the search index covers, in ``labels`` of picklist values, as JSON, or in labels of
    values ``outside`` of the index, by column and name. Without ``whole``, the last word may be the beginning of one.
    The condition is returned unchanged where no index helps.
    """
    # A text of punctuation alone has no words.
    has_words = any(map(str.isalnum, searched))
    if not scope.of_table or not has_words or not has_index(scope.object):
        return condition
    words = words_sql(scope.object, scope.alias)
    statement = scope.statement
    text = statement.bind(searched, "text")
    shown = "NULL" if labels is None else statement.bind(labels, "jsonb")
    # In a sub-select, which PostgreSQL carries out once for all records.
    query = f"(SELECT platform.search_query({text}, {str(whole).lower()}, {shown}))"
    terms = [f"{words} @@ {query}"]
    for column, values in outside.items():
        named = matching_values(searched, values)
        if named:
            terms.append(f"{column} = ANY({statement.bind(named, 'text[]')})")
    # The picklist first: it is cheap to compare, while the words are made for each record if no index is used.
    either = " OR ".join(reversed(terms))
    return (
        f"(({either}) AND {condition})"
        if len(terms) > 1
        else f"({either} AND {condition})"
    )


def matching_values(searched: str, labels: Mapping[str, str]) -> list[str]:
    """Return the names of the values in whose name or label a word of ``searched`` is, perhaps some more."""
    words = _words(searched)
    return [
        name
        for name, label in labels.items()
        if any(word in name or word in _folded(label) for word in words)
    ]


def _words(text: str) -> set[str]:
    """Return the words of a text, without case and accents."""
    folded = _folded(text)
    # PostgreSQL may end a word at a letter of another alphabet, so runs of ASCII letters and digits count as well.
    return {*_WORD.findall(folded), *_PLAIN_WORD.findall(folded)}


def _folded(text: str) -> str:
    """Return a text without case and accents, as the database compares it."""
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text)).lower()
    return plain.translate(_LETTERS)
