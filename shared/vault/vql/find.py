"""Compiles FIND: turns search phrases into regular expressions over text, and ranks the matches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import traits
from shared.vault.vql.functions import Function, named_file, searched_labels
from shared.vault.vql.resolve import Scope
from shared.vault.vql.syntax_tree import (
    Connective,
    Find,
    Operand,
    Path,
    Phrase,
    Search,
    SearchTerm,
    Word,
)
from shared.vault.vql.vql_errors import VqlLimitError

MAX_WORDS = 100  # in one FIND
RANKED_TEXT = 200_000  # characters of a record's text that count for its rank

_SPACE = re.compile(r"\s+")
# All that may be an operator of a regular expression; behind a backslash it stands for itself.
_PUNCTUATION = re.compile(r"([!-/:-@\[-\^`{-~])")
# What begins and ends a word depends on the database's locale for all but these.
_WORD_CHARACTER = re.compile(r"\w", re.ASCII)
# A word that is no plain one: digits and letters mixed, or punctuation within. It is searched for as it stands.
_ID = re.compile(r"(?=.*\d)(?=.*[^\W\d])|.*\w[^\w\s]+\w", re.DOTALL)


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
    texts = dict.fromkeys(_text_sql(scope, phrase) for phrase in phrases)
    text = " || ' ' || ".join(texts) or "''"
    # The configuration 'simple' has no stems: words count as they are written, in any language.
    return f"ts_rank(to_tsvector('simple', left({text}, {RANKED_TEXT})), to_tsquery('simple', {holder}))"


def _search_sql(scope: Scope, search: Phrase | Search) -> str:
    match search:
        case Phrase():
            # The last of several words is the beginning of one in content only.
            prefix = isinstance(search.terms, Word) or not search.fields
            text = _text_sql(scope, search)
            return _terms_sql(scope, search.terms, text, prefix=prefix)
        case Search():
            phrases = [term for term in search.terms if not isinstance(term, Word)]
            parts = [_search_sql(scope, phrase) for phrase in phrases]
            return _connected(search.operator, parts)
        case _:
            assert_never(search)


def _terms_sql(
    scope: Scope,
    term: SearchTerm,
    text: str,
    *,
    prefix: bool,
) -> str:
    match term:
        case Word():
            pattern = _pattern(term, prefix=prefix)
            return f"{text} ~* {scope.statement.bind(pattern, 'text')}"
        case Phrase():
            return _search_sql(scope, term)
        case Search():
            last = len(term.terms) - 1
            parts = [
                _terms_sql(scope, each, text, prefix=prefix and number == last)
                for number, each in enumerate(term.terms)
            ]
            return _connected(term.operator, parts)
        case _:
            assert_never(term)


def _connected(operator: Connective, parts: list[str]) -> str:
    match operator:
        case Connective.NOT:
            return f"NOT {parts[0]}"
        case Connective.AND | Connective.OR:
            joined = f" {operator} ".join(parts)
            return f"({joined})"
        case _:
            assert_never(operator)


def _pattern(word: Word, *, prefix: bool) -> str:
    r"""Return a word as a regular expression of PostgreSQL, in which ``\m`` and ``\M`` match word boundaries.

    With ``prefix``, a single word is searched for as the beginning of one, as if it ended in a wildcard, unless it is
    an exact one, a single character, or looks like an identifier.
    """
    parts = list(word.parts)
    text = "".join(parts)
    is_plain = not word.exact and len(parts) == 1
    if prefix and is_plain and len(text) > 1 and not _ID.match(text):
        parts.append("")
    escaped = [_escaped(part) for part in parts]
    begin = r"\m" if _WORD_CHARACTER.match(text) else ""
    last_character = parts[-1][-1:]
    end = r"\M" if _WORD_CHARACTER.match(last_character) else ""
    return begin + r"\w*".join(escaped) + end


def _escaped(text: str) -> str:
    """Return the regular expression of a text; each run of white space in it matches any white space."""
    words = _SPACE.split(text)
    escaped = [_PUNCTUATION.sub(r"\\\1", word) for word in words]
    any_space = r"\s+"
    return any_space.join(escaped)


def _lexeme(word: Word) -> str:
    """Return a word up to its first wildcard as a prefix term of a text search query; empty without letters."""
    head = word.parts[0]
    # Without punctuation nothing in it can end the quotes or be an operator of the query.
    characters = [each if each.isalnum() else " " for each in head]
    text = "".join(characters).strip()
    return f"'{text}':*" if text else ""


def _text_sql(scope: Scope, phrase: Phrase) -> str:
    """Return the SQL of the text to search for a phrase: the texts of all its scopes joined into one."""
    # Phrases share their text: labels in it are parameters, which are bound once this way.
    scoped = phrase.scope, phrase.content, phrase.fields
    known = scope.searched.get(scoped)
    if known is not None:
        return known
    columns = [_scoped(scope, operand) for operand in phrase.scope]
    if not columns and phrase.fields:
        columns = [_own(scope, field) for field in scope.text_fields()]
    if phrase.content:
        columns += _content(scope, phrase)
    joined = ", ".join(columns) or "NULL"
    text = f"concat_ws(' ', {joined})"
    scope.searched[scoped] = text
    return text


def _content(scope: Scope, phrase: Phrase) -> list[str]:
    """Return the SQL of the text of a document's file; nothing for records of objects, where SCOPE ALL ignores content.

    :raises VqlNameError: SCOPE CONTENT names the content of an object's records.
    """
    target = scope.statement.targets.get(scope.object.name)
    if target is not None and target.content:
        return [target.content.format(key=scope.key)]
    if phrase.fields:
        return []
    message = "SCOPE CONTENT is for queries of documents: records have no content"
    raise scope.statement.fault(message, phrase.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)


def _own(scope: Scope, field: Field) -> str:
    column = scope.column(Path((field.name,), 0))
    if field.type is FieldType.PICKLIST:
        return searched_labels(scope.statement, column)
    return column.sql


def _scoped(scope: Scope, operand: Operand) -> str:
    """Return the SQL of a field that SCOPE names: text, a file's name, or the name of the record referred to."""
    path, function = scope.aliased(operand.path, operand.function)
    if function == Function.FILENAME:
        sql, _ = named_file(scope, path, function)
        return sql
    column = scope.column(path)
    field = column.field
    relationship = field.relationship_outbound_name
    if field.type is FieldType.OBJECT and relationship is not None:
        names = (*path.parts[:-1], relationship, "name__v")
        return scope.column(Path(names, path.at)).sql
    if not traits(field.type).scoped:
        shown = f"field [{field.name}] of object [{column.owner.name}]"
        message = f"{shown}: SCOPE takes text fields and references only"
        raise scope.statement.fault(message, path.at)
    return column.sql


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
