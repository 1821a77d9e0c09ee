"""Compiles FIND: the conditions of a search phrase on the text of records, and the rank of matches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from shared.vault.vql.resolve import Scope
from shared.vault.vql.resolved_paths import SearchedText
from shared.vault.vql.searched_text import narrowed_by, searched_text
from shared.vault.vql.syntax_tree import (
    Connective,
    Find,
    Phrase,
    Search,
    SearchTerm,
    Word,
)
from shared.vault.vql.vql_errors import VqlLimitError

MAX_WORDS = 100  # in one FIND
RANKED_TEXT = 200_000  # characters of a record's text that count for its rank

# A word that is no plain one: digits with letters or with punctuation among them. It is searched for as it stands.
_ID = re.compile(r"(?=.*\d)(?:(?=.*[^\W\d])|.*\w[^\w\s]+\w)", re.DOTALL)


def find_sql(scope: Scope, find: Find) -> str:
    """Return the condition of a FIND.

    :raises VqlNameError: a scope is not a text field.
    :raises VqlLimitError: there are more than ``MAX_WORDS``.
    """
    words = list(_words(find.search))
    if len(words) > MAX_WORDS:
        where = scope.statement.place(find.at)
        raise VqlLimitError(f"FIND takes at most {MAX_WORDS} words ({where})")
    return _search_sql(scope, find.search)


def rank_sql(scope: Scope, find: Find) -> str:
    """Return the SQL of the rank of a record: the larger, the better it matches."""
    phrases = list(_phrases(find.search))
    lexemes = [_lexeme(word) for phrase in phrases for word in _words(phrase.terms)]
    query = " | ".join(lexeme for lexeme in lexemes if lexeme)
    holder = scope.statement.bind(query, "text")
    texts = dict.fromkeys(searched_text(scope, phrase).sql for phrase in phrases)
    text = " || ' ' || ".join(texts) or "''"
    # The configuration 'simple' has no stems: words count as they are written, in any language.
    return (
        f"ts_rank(to_tsvector('simple', left({text}, {RANKED_TEXT})),"
        f" (SELECT to_tsquery('simple', platform.folded({holder}))))"
    )


def _search_sql(
    scope: Scope,
    search: Phrase | Search,
    *,
    negated: bool = False,
) -> str:
    match search:
        case Phrase():
            text = searched_text(scope, search)
            if negated:
                # What is left out is not found by its words.
                text = text.without_index()
            return _terms_sql(scope, search.terms, text, prefix=True)
        case Search():
            phrases = [term for term in search.terms if not isinstance(term, Word)]
            is_not = search.operator is Connective.NOT
            parts = [
                _search_sql(scope, phrase, negated=negated or is_not)
                for phrase in phrases
            ]
            return _connected(search.operator, parts)
        case _:
            assert_never(search)


def _terms_sql(
    scope: Scope,
    term: SearchTerm,
    text: SearchedText,
    *,
    prefix: bool,
) -> str:
    match term:
        case Word():
            return _word_sql(scope, term, text, prefix=prefix)
        case Phrase():
            return _search_sql(scope, term)
        case Search():
            if term.operator is Connective.NOT:
                text = text.without_index()
            last = len(term.terms) - 1
            parts = [
                # In content only the last word is the beginning of one.
                _terms_sql(
                    scope,
                    each,
                    text,
                    prefix=prefix and (text.fields or number == last),
                )
                for number, each in enumerate(term.terms)
            ]
            return _connected(term.operator, parts)
        case _:
            assert_never(term)


def _word_sql(
    scope: Scope,
    word: Word,
    text: SearchedText,
    *,
    prefix: bool,
) -> str:
    """Return the condition that a text has a word.

    With ``prefix``, the word is searched for as the beginning of one, as if it ended in a wildcard, unless it is an
    exact one, a single character, or looks like an identifier.
    """
    parts = list(word.parts)
    head = parts[0]
    is_plain = not word.exact and len(parts) == 1
    if prefix and is_plain and len(head) > 1 and not _ID.match(head):
        parts.append("")
    pattern = scope.statement.bind(parts, "text[]")
    # In a sub-select, which PostgreSQL carries out once for all records.
    matches = f"{text.sql} ~ (SELECT platform.search_pattern({pattern}))"
    return narrowed_by(text, scope, matches, head, whole=len(parts) == 1)


def _connected(operator: Connective, parts: list[str]) -> str:
    match operator:
        case Connective.NOT:
            return f"NOT {parts[0]}"
        case Connective.AND | Connective.OR:
            joined = f" {operator} ".join(parts)
            return f"({joined})"
        case _:
            assert_never(operator)


def _lexeme(word: Word) -> str:
    """Return a word up to its first wildcard as a prefix term of a text search query; empty without letters."""
    head = word.parts[0]
    # Without punctuation nothing in it can end the quotes or be an operator of the query.
    characters = [each if each.isalnum() else " " for each in head]
    text = "".join(characters).strip()
    return f"'{text}':*" if text else ""


def _phrases(search: Phrase | Search) -> Iterator[Phrase]:
    """Yield the phrases that must match, without the negated ones."""
    if isinstance(search, Phrase):
        yield search
        return
    if search.operator is Connective.NOT:
        return
    for term in search.terms:
        if not isinstance(term, Word):
            yield from _phrases(term)


def _words(term: SearchTerm) -> Iterator[Word]:
    match term:
        case Word():
            yield term
        case Phrase():
            yield from _words(term.terms)
        case Search():
            for inner in term.terms:
                yield from _words(inner)
        case _:
            assert_never(term)
