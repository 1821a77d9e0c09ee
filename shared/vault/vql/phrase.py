"""Reads the search phrase of FIND: words with wildcards, exact words in double quotes, AND, OR, NOT, parentheses."""

from __future__ import annotations

import re

from shared.vault.vql.syntax_tree import Find, Operand, Phrase, Search, SearchTerm, Word
from shared.vault.vql.vql_errors import VqlLimitError
from shared.vault.vql.vql_tokens import (
    TokenReader,
    end_of,
    is_list,
    is_string,
    position_of,
    strings_of,
)

MAX_DEPTH = 50  # parentheses within parentheses
MAX_PHRASES = 20  # in one FIND
MAX_SCOPE = 25  # fields
MAX_PHRASE = 250  # characters, the documented limit of a search term
MAX_WILDCARDS = 2  # in one word
MAX_WILDCARD_WORDS = 10  # in one phrase
MAX_PARENTHESES = 20  # within one another

# Possessive, as all of VQL is: a phrase is read once. An open double quote ends with the phrase.
_PIECE = re.compile(
    r"""\s*+([()]|"(?:[^"\\]|\\.)*+"?+|(?:[^\s()"\\]|\\.)++)""", re.DOTALL
)
_OPERATORS = frozenset(("AND", "OR", "NOT"))
_WILDCARD = "*"


class FindReader(TokenReader):
    """Reads ``('words' SCOPE name__v AND NOT 'others')``, what stands behind FIND."""

    __slots__ = ("_depth", "_phrases")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._phrases = 0

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            message = (
                f"parentheses go deeper than {MAX_DEPTH} ({self._place(self._next)})"
            )
            raise VqlLimitError(message)

    def _find(self) -> Find:
        at = self._next
        start = position_of(self._text, at)
        search = self._only_phrase() or self._phrases_in_parentheses()
        end = end_of(self._text, self._next - 1)
        return Find(search, self._text[start:end], at)

    def _only_phrase(self) -> Phrase | None:
        """``('words')``: a parenthesis with one string is one token."""
        at = self._next
        strings = strings_of(self._tokens[at]) if is_list(self._tokens[at]) else []
        if not strings:
            return None
        if len(strings) > 1:
            self._refuse("FIND takes one phrase, or phrases joined by AND and OR")
        self._next += 1
        return self._phrase_of(strings[0], at)

    def _phrases_in_parentheses(self) -> Phrase | Search:
        self._expect("(")
        self._deeper()
        search = self._phrases_or()
        self._expect(")")
        self._depth -= 1
        return search

    def _phrases_or(self) -> Phrase | Search:
        terms = [self._phrases_and()]
        while self._take("OR"):
            terms.append(self._phrases_and())
        return terms[0] if len(terms) == 1 else Search("OR", tuple(terms))

    def _phrases_and(self) -> Phrase | Search:
        terms = [self._phrase()]
        while self._take("AND"):
            terms.append(self._phrase())
        return terms[0] if len(terms) == 1 else Search("AND", tuple(terms))

    def _phrase(self) -> Phrase | Search:
        if self._take("NOT"):
            self._deeper()
            negated = Search("NOT", (self._phrase(),))
            self._depth -= 1
            return negated
        only = self._only_phrase()
        if only is not None:
            return only
        if self._tokens[self._next] == "(":
            return self._phrases_in_parentheses()
        token = self._tokens[self._next]
        if not is_string(token):
            self._refuse_token("a search phrase in single quotes")
        self._next += 1
        phrase = self._phrase_of(token, self._next - 1)
        return self._scoped(phrase) if self._take_word("SCOPE") else phrase

    def _phrase_of(self, token: str, at: int) -> Phrase:
        self._phrases += 1
        if self._phrases > MAX_PHRASES:
            message = f"a statement takes at most {MAX_PHRASES} search phrases"
            raise VqlLimitError(f"{message} ({self._place(at)})")
        try:
            return Phrase(read_phrase(token), at)
        except ValueError as error:
            self._refuse(str(error), at)
        except VqlLimitError as error:
            message = f"{error.message} ({self._place(at)})"
            raise VqlLimitError(message) from None

    def _scoped(self, phrase: Phrase) -> Phrase:
        """SCOPE PROPERTIES is what a phrase without a scope stands for; SCOPE ALL is that and SCOPE CONTENT."""
        if self._take_word("PROPERTIES"):
            return phrase
        for word, also_fields in (("ALL", True), ("CONTENT", False)):
            if self._take_word(word):
                return Phrase(phrase.terms, phrase.at, content=True, fields=also_fields)
        fields = [self._searched()]
        while self._take(","):
            fields.append(self._searched())
        if len(fields) > MAX_SCOPE:
            message = f"SCOPE takes at most {MAX_SCOPE} fields"
            raise VqlLimitError(f"{message} ({self._place(phrase.at)})")
        return Phrase(phrase.terms, phrase.at, tuple(fields))

    def _searched(self) -> Operand:
        path, function = self._function()
        if function not in (None, "FILENAME"):
            self._refuse("of the functions SCOPE takes FILENAME only", path.at)
        return Operand(path, function)


def read_phrase(token: str) -> Word | Search:
    """The terms of a phrase's string token, quotes included.

    Words without an operator between them must all match; where the phrase has an operator, those beside each
    other are alternatives. Raises ValueError for what is no phrase, VqlLimitError for a longer one.
    """
    body = token[1:-1].replace("''", "\\'")
    if len(body) > MAX_PHRASE:
        message = f"a search phrase takes at most {MAX_PHRASE} characters"
        raise VqlLimitError(message)
    pieces: list[str] = _PIECE.findall(
        body.rstrip() if not body.endswith("\\ ") else body
    )
    if not pieces:
        message = "a search phrase has at least one character"
        raise ValueError(message)
    if (
        sum(_WILDCARD in piece.replace("\\*", "") for piece in pieces)
        > MAX_WILDCARD_WORDS
    ):
        message = (
            f"a search phrase takes at most {MAX_WILDCARD_WORDS} words with wildcards"
        )
        raise VqlLimitError(message)
    return _Phrase(pieces).read()


class _Phrase:
    __slots__ = ("_depth", "_implied", "_next", "_pieces")

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._next = 0
        self._depth = 0
        self._implied = "OR" if _OPERATORS.intersection(pieces) else "AND"

    def read(self) -> Word | Search:
        term = self._alternatives()
        if self._next < len(self._pieces):
            message = "a parenthesis of the search phrase was not opened"
            raise ValueError(message)
        return term

    def _piece(self) -> str:
        return self._pieces[self._next] if self._next < len(self._pieces) else ""

    def _alternatives(self) -> Word | Search:
        """OR, which binds weakest; it is also what stands between words of a phrase with operators."""
        terms = [self._conjunction()]
        while (piece := self._piece()) not in ("", ")"):
            self._next += piece == "OR"
            terms.append(self._conjunction())
        return _joined("OR", terms)

    def _conjunction(self) -> Word | Search:
        terms = [self._term()]
        while (piece := self._piece()) == "AND" or (
            self._implied == "AND" and piece not in ("", ")")
        ):
            self._next += piece == "AND"
            terms.append(self._term())
        return _joined("AND", terms)

    def _term(self) -> Word | Search:
        piece = self._piece()
        if piece in ("", ")", "AND", "OR"):
            message = "the search phrase lacks a word beside an operator or parenthesis"
            raise ValueError(message)
        self._next += 1
        if piece not in ("NOT", "("):
            return _word(piece)
        self._depth += 1
        if self._depth > MAX_PARENTHESES:
            message = f"parentheses of a search phrase go deeper than {MAX_PARENTHESES}"
            raise VqlLimitError(message)
        if piece == "NOT":
            term: Word | Search = Search("NOT", (self._term(),))
        else:
            term = self._alternatives()
            if self._piece() != ")":
                message = "a parenthesis of the search phrase is not closed"
                raise ValueError(message)
            self._next += 1
        self._depth -= 1
        return term


def _joined(operator: str, terms: list[Word | Search]) -> Word | Search:
    if len(terms) == 1:
        return terms[0]
    joined: tuple[SearchTerm, ...] = tuple(terms)
    return Search(operator, joined)


def _word(piece: str) -> Word:
    if piece.startswith('"'):
        if len(piece) < 3 or not piece.endswith('"'):
            message = "an exact phrase is text between two double quotes"
            raise ValueError(message)
        return Word((_plain(piece[1:-1]),), exact=True)
    parts = [""]
    escaped = False
    for character in piece:
        if escaped or character not in "\\*":
            parts[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append("")
    if not parts[0]:
        message = "a search word takes no leading wildcard"
        raise ValueError(message)
    if len(parts) - 1 > MAX_WILDCARDS:
        message = f"a search word takes at most {MAX_WILDCARDS} wildcards"
        raise ValueError(message)
    return Word(tuple(parts))


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
