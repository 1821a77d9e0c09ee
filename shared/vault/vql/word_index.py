"""Adds the words of a searched text to its condition, so that the search index finds the matching records."""

from __future__ import annotations

from shared.vault.model.field_types import has_index, words_sql
from shared.vault.vql.resolve import Scope


def narrowed(
    scope: Scope,
    condition: str,
    searched: str,
    *,
    whole: bool,
    labels: str | None = None,
) -> str:
    """Return a condition that is met only by records with the words of ``searched``, together with these words.

    The words must be in fields that the search index covers, or in ``labels`` of picklist values, as JSON. Without
    ``whole``, the last one may be the beginning of a word. The condition is returned unchanged where no index helps.
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
    return f"({words} @@ {query} AND {condition})"
