"""Reads the operand of FIND: phrases, their scopes, and the words, wildcards and operators within a phrase."""

from __future__ import annotations

import re

from shared.vault.vql.syntax_tree import (
    Connective,
    Find,
    Operand,
    Phrase,
    Search,
    SearchTerm,
    Word,
)
from shared.vault.vql.vql_errors import VqlLimitError
from shared.vault.vql.vql_tokens import (
    TokenReader,
    is_list,
    is_string,
    position_of,
    strings_of,
)

MAX_PHRASES = 20  # in one FIND
MAX_SCOPE = 25  # fields
MAX_PHRASE = 250  # characters, the documented limit of a search term
MAX_WILDCARDS = 2  # in one word
MAX_WILDCARD_WORDS = 10  # in one phrase
MAX_PARENTHESES = 20  # within one another

# Possessive, as all of VQL is: a phrase is read once. An open double quote ends with the phrase.
_PIECE = re.compile(r"""[()]|"(?:[^"\\]|\\.)*+"?+|(?:[^\s()"\\]|\\.)++""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WILDCARD = "*"
_CLOSING = ("", ")")  # the end of a phrase, or of what stands in parentheses


class FindReader(TokenReader):
    """Reads the operand of FIND: ``('words' SCOPE name__v AND NOT 'others')``."""

    # Phrases of this statement so far.
    _phrases = 0

    def _find(self) -> Find:
        at = self._next
        start = position_of(self._text, at)
        search = self._only_phrase() or self._phrases_in_parentheses()
        end = position_of(self._text, self._next)
        text = self._text[start:end].rstrip()
        return Find(search, text, at)

    def _only_phrase(self) -> Phrase | None:
        """Read ``('words')``; return None when the next tokens are something else."""
        # A parenthesis with one string is one token, as every list of strings is.
        at = self._next
        token = self._token
        strings = strings_of(token) if is_list(token) else []
        if not strings:
            return None
        if len(strings) > 1:
            self._refuse("FIND takes one phrase, or phrases joined by AND and OR")
        self._advance()
        return self._phrase_of(strings[0], at)

    def _phrases_in_parentheses(self) -> Phrase | Search:
        self._expect("(")
        self._deeper()
        search = self._phrases_or()
        self._expect(")")
        self._depth -= 1
        return search

    def _phrases_or(self) -> Phrase | Search:
        first = self._phrases_and()
        terms = [first]
        while self._take("OR"):
            following = self._phrases_and()
            terms.append(following)
        if len(terms) == 1:
            return terms[0]
        return Search(Connective.OR, tuple(terms))

    def _phrases_and(self) -> Phrase | Search:
        first = self._phrase()
        terms = [first]
        while self._take("AND"):
            following = self._phrase()
            terms.append(following)
        if len(terms) == 1:
            return terms[0]
        return Search(Connective.AND, tuple(terms))

    def _phrase(self) -> Phrase | Search:
        if self._take("NOT"):
            self._deeper()
            negated = self._phrase()
            self._depth -= 1
            return Search(Connective.NOT, (negated,))
        only = self._only_phrase()
        if only is not None:
            return only
        opening = self._token
        if opening == "(":
            return self._phrases_in_parentheses()
        if not is_string(opening):
            self._refuse_token("a search phrase in single quotes")
        at = self._next
        self._advance()
        phrase = self._phrase_of(opening, at)
        return self._scoped(phrase) if self._take_word("SCOPE") else phrase

    def _phrase_of(self, token: str, at: int) -> Phrase:
        """Read the phrase within a string token."""
        self._phrases += 1
        if self._phrases > MAX_PHRASES:
            message = f"a statement takes at most {MAX_PHRASES} search phrases"
            raise VqlLimitError(f"{message} ({self._place(at)})")
        try:
            terms = read_phrase(token)
        except ValueError as error:
            self._refuse(str(error), at)
        except VqlLimitError as error:
            where = self._place(at)
            raise VqlLimitError(f"{error.message} ({where})") from None
        return Phrase(terms, at)

    def _scoped(self, phrase: Phrase) -> Phrase:
        """Read the scope after SCOPE, and return the phrase with that scope."""
        # A phrase without a scope searches properties already; SCOPE ALL adds to them, SCOPE CONTENT replaces them.
        if self._take_word("PROPERTIES"):
            return phrase
        if self._take_word("ALL"):
            return Phrase(phrase.terms, phrase.at, content=True)
        if self._take_word("CONTENT"):
            return Phrase(phrase.terms, phrase.at, content=True, fields=False)
        fields = [self._searched()]
        while self._take(","):
            fields.append(self._searched())
        if len(fields) > MAX_SCOPE:
            where = self._place(phrase.at)
            raise VqlLimitError(f"SCOPE takes at most {MAX_SCOPE} fields ({where})")
        return Phrase(phrase.terms, phrase.at, tuple(fields))

    def _searched(self) -> Operand:
        path, function = self._function()
        allowed = (None, "FILENAME")
        if function not in allowed:
            message = "of the functions SCOPE takes FILENAME only"
            self._refuse(message, path.at)
        return Operand(path, function)


def read_phrase(token: str) -> Word | Search:
    """Return the terms of a phrase, from its string token with the quotes.

    Words without an operator between them must all match; but in a phrase with an operator, words without one
    between them are alternatives.

    :raises ValueError: the token is not a valid phrase.
    :raises VqlLimitError: it is longer than ``MAX_PHRASE`` characters, or has too many wildcards or parentheses.
    """
    # The backslashes stay for the words, where they may stand in front of a wildcard.
    body = token[1:-1].replace("''", "\\'")
    if len(body) > MAX_PHRASE:
        raise VqlLimitError(f"a search phrase takes at most {MAX_PHRASE} characters")
    # An escaped space at the end belongs to the last word.
    trimmed = body if body.endswith("\\ ") else body.rstrip()
    pieces: list[str] = _PIECE.findall(trimmed)
    if not pieces:
        raise ValueError("a search phrase has at least one character")
    wild = [piece for piece in pieces if _WILDCARD in piece.replace("\\*", "")]
    if len(wild) > MAX_WILDCARD_WORDS:
        raise VqlLimitError(
            f"a search phrase takes at most {MAX_WILDCARD_WORDS} words with wildcards"
        )
    return _PhraseReader(pieces).read()


class _PhraseReader:
    """Reads the pieces of a phrase: words, exact words, operators and parentheses."""

    __slots__ = ("_depth", "_implied", "_next", "_pieces")

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._next = 0
        self._depth = 0
        has_operator = not set(Connective).isdisjoint(pieces)
        # Plain words must all match; in a phrase with an operator, those without one are alternatives.
        self._implied = Connective.OR if has_operator else Connective.AND

    def read(self) -> Word | Search:
        term = self._alternatives()
        if self._next < len(self._pieces):
            raise ValueError("a parenthesis of the search phrase was not opened")
        return term

    def _piece(self) -> str:
        """Return the next piece; an empty text after the last one."""
        return self._pieces[self._next] if self._next < len(self._pieces) else ""

    def _alternatives(self) -> Word | Search:
        """Read terms joined by OR, which binds weakest, or without an operator between them."""
        terms = [self._conjunction()]
        while self._piece() not in _CLOSING:
            piece = self._piece()
            if piece == Connective.OR:
                self._next += 1
            term = self._conjunction()
            terms.append(term)
        return _joined(Connective.OR, terms)

    def _conjunction(self) -> Word | Search:
        """Read terms joined by AND, or without an operator between them in a phrase that has no operators."""
        terms = [self._term()]
        while self._continues(self._piece()):
            piece = self._piece()
            if piece == Connective.AND:
                self._next += 1
            term = self._term()
            terms.append(term)
        return _joined(Connective.AND, terms)

    def _continues(self, piece: str) -> bool:
        """Return whether this piece continues a conjunction."""
        if piece == Connective.AND:
            return True
        return self._implied is Connective.AND and piece not in _CLOSING

    def _term(self) -> Word | Search:
        piece = self._piece()
        if piece in ("", ")", Connective.AND, Connective.OR):
            raise ValueError(
                "the search phrase lacks a word beside an operator or parenthesis"
            )
        self._next += 1
        if piece not in ("(", Connective.NOT):
            return _word(piece)
        self._depth += 1
        if self._depth > MAX_PARENTHESES:
            raise VqlLimitError(
                f"parentheses of a search phrase go deeper than {MAX_PARENTHESES}"
            )
        term = self._group() if piece == "(" else self._negated()
        self._depth -= 1
        return term

    def _negated(self) -> Search:
        term = self._term()
        return Search(Connective.NOT, (term,))

    def _group(self) -> Word | Search:
        """Read the terms after an opening parenthesis, and the closing one."""
        term = self._alternatives()
        if self._piece() != ")":
            raise ValueError("a parenthesis of the search phrase is not closed")
        self._next += 1
        return term


def _joined(connective: Connective, terms: list[Word | Search]) -> Word | Search:
    if len(terms) == 1:
        return terms[0]
    joined: tuple[SearchTerm, ...] = tuple(terms)
    return Search(connective, joined)


def _word(piece: str) -> Word:
    """Return the word of a piece, cut at its wildcards; an exact word in double quotes has no wildcards."""
    if piece.startswith('"'):
        if len(piece) < 3 or not piece.endswith('"'):
            raise ValueError("an exact phrase is text between two double quotes")
        exact = _unescaped(piece[1:-1])
        return Word((exact,), exact=True)
    parts = _cut_at_wildcards(piece)
    if not parts[0]:
        raise ValueError("a search word takes no leading wildcard")
    if len(parts) - 1 > MAX_WILDCARDS:
        raise ValueError(f"a search word takes at most {MAX_WILDCARDS} wildcards")
    return Word(tuple(parts))


def _cut_at_wildcards(piece: str) -> list[str]:
    """Return the parts of a word between its ``*``; an escaped one is a literal character."""
    parts: list[list[str]] = [[]]
    escaped = False
    for character in piece:
        if escaped or character not in "\\*":
            parts[-1].append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append([])
    return ["".join(characters) for characters in parts]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
