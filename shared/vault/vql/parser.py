"""Reads VQL text into its syntax tree by recursive descent."""

from __future__ import annotations

from shared.vault.vql import vql_tokens as lexical
from shared.vault.vql.expression_parser import NO_LIMITS, ExpressionParser
from shared.vault.vql.phrase import read_phrase
from shared.vault.vql.syntax_tree import (
    Criteria,
    Find,
    Item,
    Limits,
    Operand,
    Order,
    Phrase,
    Query,
    Rank,
    Search,
    Select,
    Show,
)
from shared.vault.vql.vql_errors import VqlLimitError
from shared.vault.vql.vql_tokens import is_list, is_string

MAX_ALIAS = 40  # characters
MAX_ROWS = 2**31 - 1  # the largest number a limit may name
MAX_PHRASES = 20  # in one FIND
MAX_SCOPE = 25  # fields

_LIMITS = {
    "MAXROWS": "maxrows",
    "SKIP": "skip",
    "PAGESIZE": "pagesize",
    "PAGEOFFSET": "pageoffset",
    "LIMIT": "limit",
    "OFFSET": "offset",
}
_OPTIONS = frozenset(("ALLVERSIONS", "FAVORITES", "RECENT"))
_SHOWN = ("TARGETS", "FIELDS", "RELATIONSHIPS")


def parse(text: str) -> Query:
    """Read one SELECT; raises VqlSyntaxError, or VqlLimitError when it is too long or too deep."""
    parser = _Parser(text)
    select = parser.select(nested=False)
    parser.end()
    return Query(select, text)


def parse_statement(text: str) -> Query | Show:
    """Read one statement, SELECT or SHOW; raises as ``parse`` does."""
    parser = _Parser(text)
    statement = parser.show() or Query(parser.select(nested=False), text)
    parser.end()
    return statement


def parse_criteria(text: str) -> Criteria:
    """Read a bare WHERE expression; raises as ``parse`` does."""
    parser = _Parser(text)
    expression = parser.expression()
    parser.end()
    return Criteria(expression, text)


class _Parser(ExpressionParser):
    __slots__ = ("_nested", "_phrases")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nested = False  # within a sub-query, where no further one may stand
        self._phrases = 0

    # SELECT … FROM … FIND … WHERE … ORDER BY … limits

    def select(self, *, nested: bool) -> Select:
        """One SELECT, from its keyword on; a sub-query holds no further one."""
        if nested and self._nested:
            self._refuse("sub-queries are one level deep")
        self._nested = nested
        self._expect("SELECT")
        latest = self._is_before_word() and self._take_word("LATESTVERSION")
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        self._expect("FROM")
        option = self._option()
        at = self._next
        source = self._name("an object or relationship")
        find = self._find() if self._take("FIND") else None
        where = self.expression() if self._take("WHERE") else None
        order = self._order() if self._take("ORDER") else ()
        limits = self._limits() if self._tokens[self._next] in _LIMITS else NO_LIMITS
        self._nested = False
        return Select(
            tuple(items), source, at, where, order, limits, find, option, latest
        )

    def _option(self) -> str | None:
        word = self._tokens[self._next].upper()
        if word not in _OPTIONS or not self._is_before_word():
            return None
        self._next += 1
        return word

    def _item(self) -> Item | Select:
        if self._take("("):
            select = self.select(nested=True)
            limits = select.limits
            if (
                limits.maxrows is not None
                or limits.skip is not None
                or limits.pageoffset is not None
            ):
                self._refuse(
                    "of the limits a sub-select takes PAGESIZE only", select.at
                )
            self._expect(")")
            return select
        path, function = self._function()
        alias = None
        if self._take("AS"):
            alias = self._name("an alias")
            if len(alias) > MAX_ALIAS:
                self._refuse(
                    f"an alias takes at most {MAX_ALIAS} characters", self._next - 1
                )
        return Item(path, function, alias)

    def _order(self) -> tuple[Order | Rank, ...]:
        self._expect("BY")
        terms: list[Order | Rank] = []
        while True:
            at = self._next
            path, function = self._function()
            if function is None and path.text.upper() == "RANK":
                terms.append(Rank(at))
            else:
                descending = self._take("DESC")
                if not descending:
                    self._take("ASC")
                terms.append(Order(path, descending, function))
            if not self._take(","):
                return tuple(terms)

    def _limits(self) -> Limits:
        found: dict[str, int] = {}
        while name := _LIMITS.get(self._tokens[self._next]):
            if name in found:
                self._refuse(f"{name.upper()} stands twice")
            if name == "maxrows" and "pagesize" in found:
                self._refuse("MAXROWS stands before PAGESIZE")
            self._next += 1
            token = self._tokens[self._next]
            if not (token.isascii() and token.isdecimal()):
                self._refuse_token("a number of rows")
            found[name] = min(int(self._value_of(lexical.number_value)), MAX_ROWS)
        # The legacy words say the same as the newer ones and give way to them.
        if "pagesize" not in found and "pageoffset" not in found:
            legacy = found.get("limit"), found.get("offset")
        else:
            legacy = None, None
        return Limits(
            found.get("maxrows"),
            found.get("skip"),
            found.get("pagesize", legacy[0]),
            found.get("pageoffset", legacy[1]),
        )

    # FIND ('words' SCOPE name__v AND NOT 'others')

    def _find(self) -> Find:
        at = self._next
        start = lexical.position_of(self._text, at)
        search = self._only_phrase() or self._phrases_in_parentheses()
        end = lexical.end_of(self._text, self._next - 1)
        return Find(search, self._text[start:end], at)

    def _only_phrase(self) -> Phrase | None:
        """``('words')``: a parenthesis with one string is one token."""
        at = self._next
        strings = (
            lexical.strings_of(self._tokens[at]) if is_list(self._tokens[at]) else []
        )
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

    # SHOW

    def show(self) -> Show | None:
        """A whole SHOW, or None where the text does not begin with one."""
        if not self._take("SHOW"):
            return None
        kind = next((word for word in _SHOWN if self._take_word(word)), None)
        if kind is None:
            self._refuse_token("TARGETS, FIELDS or RELATIONSHIPS")
        source, at = None, self._next
        if kind != "TARGETS":
            self._expect("FROM")
            at = self._next
            source = self._name("a query target")
        pattern = self._pattern() if self._take("LIKE") else None
        return Show(kind, self._text, source, at, pattern)
