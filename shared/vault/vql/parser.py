"""Reads VQL text into its syntax tree by recursive descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from shared.vault.vql import tokens as lexical
from shared.vault.vql.errors import VqlLimitError, VqlSyntaxError
from shared.vault.vql.tokens import END, KEYWORDS, is_list, is_number, is_string, is_word
from shared.vault.vql.tree import (
    And,
    Between,
    Comparison,
    Contains,
    Criteria,
    Expression,
    InSelect,
    Item,
    Like,
    Limits,
    Operand,
    Or,
    Order,
    Path,
    Query,
    Scalar,
    Select,
)

MAX_DEPTH = 50  # parentheses within parentheses
MAX_ALIAS = 40  # characters
MAX_ROWS = 2**31 - 1  # the largest number a limit may name

_COMPARISONS = frozenset(("=", "!=", "<", ">", "<=", ">="))
_LITERALS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_LIMITS = {
    "MAXROWS": "maxrows",
    "SKIP": "skip",
    "PAGESIZE": "pagesize",
    "PAGEOFFSET": "pageoffset",
    "LIMIT": "limit",
    "OFFSET": "offset",
}

T = TypeVar("T")


def parse(text: str) -> Query:
    """Read one statement; raises VqlSyntaxError, or VqlLimitError when it is too long or too deep."""
    parser = _Parser(text)
    select = parser.select(nested=False)
    parser.end()
    return Query(select, text)


def parse_criteria(text: str) -> Criteria:
    """Read a bare WHERE expression; raises as ``parse`` does."""
    parser = _Parser(text)
    expression = parser.expression()
    parser.end()
    return Criteria(expression, text)


class _Parser:
    __slots__ = ("_depth", "_nested", "_next", "_text", "_tokens")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = lexical.tokenize(text)
        self._next = 0
        self._depth = 0
        self._nested = False  # within a sub-query, where no further one may stand

    # SELECT … FROM … WHERE … ORDER BY … limits

    def select(self, *, nested: bool) -> Select:
        if nested and self._nested:
            self._refuse("sub-queries are one level deep")
        self._nested = nested
        self._expect("SELECT")
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        self._expect("FROM")
        at = self._next
        source = self._name("an object or relationship")
        where = self.expression() if self._take("WHERE") else None
        order = self._order() if self._take("ORDER") else ()
        limits = self._limits() if self._tokens[self._next] in _LIMITS else _NO_LIMITS
        self._nested = False
        return Select(tuple(items), source, at, where, order, limits)

    def _item(self) -> Item | Select:
        if self._take("("):
            select = self.select(nested=True)
            limits = select.limits
            if limits.maxrows is not None or limits.skip is not None or limits.pageoffset is not None:
                self._refuse("of the limits a sub-select takes PAGESIZE only", select.at)
            self._expect(")")
            return select
        path, function = self._field()
        alias = None
        if function and self._take("AS"):
            alias = self._name("an alias")
            if len(alias) > MAX_ALIAS:
                self._refuse(f"an alias takes at most {MAX_ALIAS} characters", self._next - 1)
        return Item(path, function, alias)

    def _field(self) -> tuple[Path, str | None]:
        """A path, or a function of a path."""
        at = self._next
        token = self._tokens[at]
        if not is_word(token):
            self._refuse_token("a field")
        self._next = at + 1
        if not self._take("("):
            return Path(tuple(token.split(".")) if "." in token else (token,), at), None
        if is_list(self._tokens[self._next]) or not is_word(self._tokens[self._next]):
            self._refuse_token("a field")
        path = Path(tuple(self._tokens[self._next].split(".")), self._next)
        self._next += 1
        self._expect(")")
        return path, token.upper()

    def _order(self) -> tuple[Order, ...]:
        self._expect("BY")
        terms = []
        while True:
            path, function = self._field()
            if function:
                self._refuse("ORDER BY takes fields only", path.at)
            descending = self._take("DESC")
            if not descending:
                self._take("ASC")
            terms.append(Order(path, descending))
            if not self._take(","):
                return tuple(terms)

    def _limits(self) -> Limits:
        found: dict[str, int] = {}
        while name := _LIMITS.get(self._tokens[self._next]):
            if name in found:
                self._refuse(f"{name.upper()} stands twice")
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

    # WHERE

    def expression(self) -> Expression:
        first = self._conjunction()
        if self._tokens[self._next] != "OR":
            return first
        terms = [first]
        while self._take("OR"):
            terms.append(self._conjunction())
        return Or(tuple(terms))

    def _conjunction(self) -> Expression:
        first = self._term()
        if self._tokens[self._next] != "AND":
            return first
        terms = [first]
        while self._take("AND"):
            terms.append(self._term())
        return And(tuple(terms))

    def _term(self) -> Expression:
        if not self._take("("):
            return self._condition()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            message = f"parentheses go deeper than {MAX_DEPTH} ({self._place(self._next)})"
            raise VqlLimitError(message)
        expression = self.expression()
        self._expect(")")
        self._depth -= 1
        return expression

    def _condition(self) -> Expression:
        if self._tokens[self._next] == "NOT":
            self._refuse("NOT is no operator of WHERE; use != or another operator")
        path, function = self._field()
        operand = Operand(path, function)
        at = self._next
        operator = self._tokens[at]
        self._next = at + 1
        if operator in _COMPARISONS:
            return Comparison(operand, operator, self._literal(), at + 1)
        if operator == "CONTAINS":
            return Contains(operand, self._list(), at + 1)
        if operator == "BETWEEN":
            low = self._literal()
            self._expect("AND")
            return Between(operand, low, self._literal(), at + 1)
        if operator == "LIKE":
            return self._like(operand)
        if operator == "IN":
            return self._semi_join(operand)
        self._next = at
        return self._refuse_token("an operator")

    def _like(self, operand: Operand) -> Like:
        at = self._next
        if not is_string(self._tokens[at]):
            self._refuse("LIKE takes a string")
        segments = self._value_of(lexical.like_segments)
        if len(segments) > 1 and not segments[0]:
            self._refuse("LIKE takes no leading wildcard", at)
        return Like(operand, segments, at)

    def _semi_join(self, operand: Operand) -> InSelect:
        at = self._next
        if is_list(self._tokens[at]):
            self._refuse("IN takes a sub-select; a list of values goes with CONTAINS")
        self._expect("(")
        select = self.select(nested=True)
        if select.order or select.limits is not _NO_LIMITS:
            self._refuse("a sub-select of IN takes neither ORDER BY nor limits", select.at)
        self._expect(")")
        return InSelect(operand, select, at)

    def _list(self) -> tuple[Scalar, ...]:
        if is_list(self._tokens[self._next]):
            return self._value_of(lexical.list_values)
        self._expect("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self) -> Scalar:
        token = self._tokens[self._next]
        if is_string(token):
            return self._value_of(lexical.string_value)
        if is_number(token):
            return self._value_of(lexical.number_value)
        if token in _LITERALS:
            self._next += 1
            return _LITERALS[token]
        if token == lexical.QUOTE:
            self._refuse("the string that begins here is not closed")
        # A word here is most likely a value without its quotes; values stay out of messages.
        return self._refuse("expected a value: 'text', a number, true, false or null")

    # Tokens

    def end(self) -> None:
        if self._tokens[self._next] != END:
            self._refuse_token("the end of the statement")

    def _take(self, token: str) -> bool:
        if self._tokens[self._next] != token:
            return False
        self._next += 1
        return True

    def _expect(self, token: str) -> None:
        if self._tokens[self._next] != token:
            self._refuse_token(token)
        self._next += 1

    def _name(self, expected: str) -> str:
        token = self._tokens[self._next]
        if not is_word(token) or "." in token:
            self._refuse_token(expected)
        self._next += 1
        return token

    def _value_of(self, read: Callable[[str], T]) -> T:
        at = self._next
        self._next = at + 1
        try:
            return read(self._tokens[at])
        except ValueError as error:
            self._refuse(str(error), at)

    def _place(self, at: int) -> str:
        return lexical.place(self._text, lexical.position_of(self._text, at))

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        position = lexical.position_of(self._text, self._next if at is None else at)
        raise VqlSyntaxError(f"{message} ({lexical.place(self._text, position)})", position)

    def _refuse_token(self, expected: str) -> NoReturn:
        self._refuse(f"expected {expected}, found {_shown(self._tokens[self._next])}")


_NO_LIMITS = Limits()


def _shown(token: str) -> str:
    """A token for a message; what may be a value is named by its kind only."""
    if token == END:
        return "the end of the statement"
    if is_string(token):
        return "a string"
    if is_list(token):
        return "a list of values"
    if is_number(token):
        return "a number"
    if is_word(token) and "__" not in token:
        return "a word"
    return token[:60] if token in KEYWORDS or len(token) > 1 else f"[{token}]"
