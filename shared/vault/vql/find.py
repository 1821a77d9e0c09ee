"""Compiles FIND: search phrases as regular expressions over text, and a rank for what they match."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql.functions import named_file, searched_labels
from shared.vault.vql.resolve import Scope
from shared.vault.vql.syntax_tree import (
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

_TEXT = frozenset((FieldType.STRING, FieldType.LONG_TEXT, FieldType.RICH_TEXT))
_SPACE = re.compile(r"\s+")
# All that may be an operator of a regular expression; behind a backslash it stands for itself.
_PUNCTUATION = re.compile(r"([!-/:-@\[-\^`{-~])")
# What begins and ends a word depends on the database's locale for all but these.
_WORD_CHARACTER = re.compile(r"\w", re.ASCII)
# A word that is no plain one: digits and letters mixed, or punctuation within. It is searched for as it stands.
_ID = re.compile(r"(?=.*\d)(?=.*[^\W\d])|.*\w[^\w\s]+\w", re.DOTALL)


def find_sql(scope: Scope, find: Find) -> str:
    """The condition of a FIND; raises VqlNameError for scopes that are not text, VqlLimitError for many words."""
    if sum(1 for _ in _words(find.search)) > MAX_WORDS:
        message = (
            f"FIND takes at most {MAX_WORDS} words ({scope.statement.place(find.at)})"
        )
        raise VqlLimitError(message)
    return _search_sql(scope, find.search)


def rank_sql(scope: Scope, find: Find) -> str:
    """How well a record matches: larger is better."""
    phrases = list(_phrases(find.search))
    lexemes = [_lexeme(word) for phrase in phrases for word in _words(phrase.terms)]
    holder = scope.statement.bind(
        " | ".join(lexeme for lexeme in lexemes if lexeme), "text"
    )
    text = (
        " || ' ' || ".join(
            dict.fromkeys(_text_sql(scope, phrase) for phrase in phrases)
        )
        or "''"
    )
    return f"ts_rank(to_tsvector('simple', left({text}, {RANKED_TEXT})), to_tsquery('simple', {holder}))"


def _search_sql(scope: Scope, search: Phrase | Search) -> str:
    if isinstance(search, Phrase):
        # The last of several words is the beginning of one in content only.
        prefix = isinstance(search.terms, Word) or not search.fields
        return _terms_sql(scope, search.terms, _text_sql(scope, search), prefix=prefix)
    parts = [
        _search_sql(scope, term)
        for term in search.terms
        if isinstance(term, Phrase | Search)
    ]
    return _operator_sql(search.operator, parts)


def _terms_sql(scope: Scope, term: SearchTerm, text: str, *, prefix: bool) -> str:
    if isinstance(term, Word):
        return (
            f"{text} ~* {scope.statement.bind(_pattern(term, prefix=prefix), 'text')}"
        )
    if isinstance(term, Phrase):
        return _search_sql(scope, term)
    last = len(term.terms) - 1
    parts = [
        _terms_sql(scope, t, text, prefix=prefix and n == last)
        for n, t in enumerate(term.terms)
    ]
    return _operator_sql(term.operator, parts)


def _operator_sql(operator: str, parts: list[str]) -> str:
    return (
        f"NOT {parts[0]}" if operator == "NOT" else f"({f' {operator} '.join(parts)})"
    )


def _pattern(word: Word, *, prefix: bool) -> str:
    r"""A word as a regular expression of PostgreSQL: ``\m`` and ``\M`` are where words begin and end.

    A single word is searched for as the beginning of one, as if it ended in a wildcard, unless it is an exact one,
    a single character, or looks like an identifier.
    """
    parts = list(word.parts)
    text = "".join(parts)
    if (
        prefix
        and not word.exact
        and len(parts) == 1
        and len(text) > 1
        and not _ID.match(text)
    ):
        parts.append("")
    escaped = [
        r"\s+".join(_PUNCTUATION.sub(r"\\\1", text) for text in _SPACE.split(part))
        for part in parts
    ]
    begin = r"\m" if _WORD_CHARACTER.match(text) else ""
    end = r"\M" if _WORD_CHARACTER.match(parts[-1][-1:]) else ""
    return begin + r"\w*".join(escaped) + end


def _lexeme(word: Word) -> str:
    """A word as a term of a text search query, quoted; of parts between wildcards the first."""
    text = "".join(
        character if character.isalnum() else " " for character in word.parts[0]
    ).strip()
    return f"'{text}':*" if text else ""


def _text_sql(scope: Scope, phrase: Phrase) -> str:
    """All text that a phrase is looked for in, as one."""
    wanted = phrase.scope, phrase.content, phrase.fields
    text = scope.searched.get(wanted)
    if text is None:
        columns = [_scoped(scope, operand) for operand in phrase.scope]
        if not columns and phrase.fields:
            columns = [_own(scope, f) for f in scope.text_fields()]
        if phrase.content:
            columns += _content(scope, phrase)
        text = scope.searched[wanted] = (
            f"concat_ws(' ', {', '.join(columns) or 'NULL'})"
        )
    return text


def _content(scope: Scope, phrase: Phrase) -> list[str]:
    """What the file of a record says; objects have none, which SCOPE ALL passes over."""
    target = scope.statement.targets.get(scope.object.name)
    if target is not None and target.content:
        return [target.content.format(key=scope.key)]
    if phrase.fields:
        return []
    message = "SCOPE CONTENT is for queries of documents: records have no content"
    raise scope.statement.fault(message, phrase.at, "ATTRIBUTE_NOT_SUPPORTED")


def _own(scope: Scope, field: Field) -> str:
    sql, _, owner = scope.column(Path((field.name,), 0))
    return (
        searched_labels(scope.statement, sql, field, owner)
        if field.type is FieldType.PICKLIST
        else sql
    )


def _scoped(scope: Scope, operand: Operand) -> str:
    """A field that SCOPE names: text, or a reference, which stands for the name of the record behind it; or a file."""
    path, function = scope.aliased(operand.path, operand.function)
    if function == "FILENAME":
        return named_file(scope, path, function)[0]
    sql, field, owner = scope.column(path)
    if field.type is FieldType.OBJECT and field.relationship_outbound_name is not None:
        return scope.column(
            Path(
                (*path.parts[:-1], field.relationship_outbound_name, "name__v"), path.at
            )
        )[0]
    if field.type not in _TEXT:
        message = f"field [{field.name}] of object [{owner.name}]: SCOPE takes text fields and references only"
        raise scope.statement.fault(message, path.at)
    return sql


def _phrases(search: Phrase | Search) -> Iterator[Phrase]:
    """The phrases that are looked for, without those that must not be there."""
    if isinstance(search, Phrase):
        yield search
    elif search.operator != "NOT":
        for term in search.terms:
            if isinstance(term, Phrase | Search):
                yield from _phrases(term)


def _words(term: SearchTerm) -> Iterator[Word]:
    if isinstance(term, Word):
        yield term
    elif isinstance(term, Phrase):
        yield from _words(term.terms)
    else:
        for inner in term.terms:
            yield from _words(inner)
