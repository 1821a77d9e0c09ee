"""Reads VQL text into its syntax tree by recursive descent."""

from __future__ import annotations

from shared.vault.vql import vql_tokens as lexical
from shared.vault.vql.deferred import LARGEST, relative_date
from shared.vault.vql.phrase import FindReader
from shared.vault.vql.syntax_tree import (
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
    Literal,
    Operand,
    Or,
    Order,
    Query,
    Rank,
    RelativeDate,
    Scalar,
    Select,
    Show,
    StateFunction,
    StateType,
    Token,
)
from shared.vault.vql.vql_errors import VqlLimitError
from shared.vault.vql.vql_tokens import is_list, is_number, is_string, is_vault_token

MAX_ALIAS = 40  # characters
MAX_ROWS = 2**31 - 1  # the largest number a limit may name

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

NO_LIMITS = Limits()

_COMPARISONS = frozenset(("=", "!=", "<", ">", "<=", ">="))
_LITERALS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_STATE_FUNCTIONS = frozenset(
    ("STEADYSTATE", "OBSOLETESTATE", "SUPERSEDEDSTATE", "DELETEDSTATE")
)


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


class _Parser(FindReader):
    __slots__ = ("_nested",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nested = False  # within a sub-query, where no further one may stand

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

    # WHERE

    def expression(self) -> Expression:
        """Terms joined by OR, which binds weakest."""
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
        self._deeper()
        expression = self.expression()
        self._expect(")")
        self._depth -= 1
        return expression

    def _condition(self) -> Expression:
        if self._tokens[self._next] == "NOT":
            self._refuse("NOT is no operator of WHERE; use != or another operator")
        operand = Operand(*self._function())
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
        segments = self._pattern()
        if len(segments) > 1 and not segments[0]:
            self._refuse("LIKE takes no leading wildcard", at)
        return Like(operand, segments, at)

    def _pattern(self) -> tuple[str, ...]:
        if not is_string(self._tokens[self._next]):
            self._refuse("LIKE takes a string")
        return self._value_of(lexical.like_segments)

    def _semi_join(self, operand: Operand) -> InSelect:
        at = self._next
        if is_list(self._tokens[at]):
            self._refuse("IN takes a sub-select; a list of values goes with CONTAINS")
        self._expect("(")
        select = self.select(nested=True)
        if select.order or select.limits is not NO_LIMITS:
            self._refuse(
                "a sub-select of IN takes neither ORDER BY nor limits", select.at
            )
        self._expect(")")
        return InSelect(operand, select, at)

    def _list(self) -> tuple[Literal, ...]:
        if is_list(self._tokens[self._next]):
            return self._value_of(lexical.list_values)
        self._expect("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._tokens[self._next]
        if is_string(token):
            return self._value_of(lexical.string_value)
        if is_number(token):
            return self._value_of(lexical.number_value)
        if token in _LITERALS:
            self._next += 1
            return _LITERALS[token]
        if is_vault_token(token):
            self._next += 1
            return Token(token[2:-1].lower())
        if token == lexical.QUOTE:
            self._refuse("the string that begins here is not closed")
        # A word that is none of these is most likely a value without its quotes; values stay out of messages.
        return self._named_literal(token.upper())

    def _named_literal(self, name: str) -> Literal:
        at = self._next
        self._next = at + 1
        if name == "STATETYPE":
            return self._state_type()
        if name in _STATE_FUNCTIONS and self._take("("):
            self._expect(")")
            return StateFunction(name)
        span = relative_date(name)
        if span is not None:
            return self._counted(span)
        return self._refuse(
            "expected a value: 'text', a number, true, false, null or a date literal",
            at,
        )

    def _state_type(self) -> StateType:
        """The parenthesis with its one string is one token, as every list of strings is."""
        at = self._next
        values = (
            self._value_of(lexical.list_values) if is_list(self._tokens[at]) else ()
        )
        if len(values) != 1 or not isinstance(values[0], str):
            self._refuse(
                "STATETYPE takes the name of one state type in single quotes", at
            )
        return StateType(values[0])

    def _counted(self, span: RelativeDate) -> RelativeDate:
        """A date literal with its ``:n``; TODAY has none, and that of THIS_MONTH and its like says nothing."""
        if span.unit == "DAYS" and span.kind == "THIS":
            return span
        if not self._take(":"):
            if span.kind != "THIS":
                self._refuse_token(":")
            return span
        token = self._tokens[self._next]
        if not (token.isascii() and token.isdecimal()):
            self._refuse_token("a whole number")
        count = self._value_of(lexical.number_value)
        if count > LARGEST[span.unit]:
            message = f"a date literal takes at most {LARGEST[span.unit]} {span.unit}"
            raise VqlLimitError(f"{message} ({self._place(self._next - 1)})")
        return RelativeDate(span.kind, span.unit, int(count))
