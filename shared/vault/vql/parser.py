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
    Operator,
    Or,
    Order,
    Query,
    Rank,
    RelativeDate,
    Scalar,
    Select,
    Show,
    ShowKind,
    SourceOption,
    StateFunction,
    StateFunctionName,
    StateType,
    Tense,
    Token,
    Unit,
)
from shared.vault.vql.token_kinds import TokenKind
from shared.vault.vql.vql_errors import VqlLimitError
from shared.vault.vql.vql_tokens import is_list, is_string, kind_of

MAX_ALIAS = 40  # characters
MAX_ORDER = 100  # terms of ORDER BY
MAX_ROWS = 2**31 - 1  # the largest number a limit may name

NO_LIMITS = Limits()

_LIMITS = {
    "MAXROWS": "maxrows",
    "SKIP": "skip",
    "PAGESIZE": "pagesize",
    "PAGEOFFSET": "pageoffset",
    "LIMIT": "limit",
    "OFFSET": "offset",
}
_PAGE_SIZES = frozenset(("pagesize", "limit"))
_FROM_OPTIONS = frozenset(SourceOption)
_OPERATORS = frozenset((*Operator, "CONTAINS", "BETWEEN", "LIKE", "IN"))
_LITERALS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_STATE_FUNCTIONS = {function.value: function for function in StateFunctionName}


def parse(text: str) -> Query:
    """Return one SELECT.

    :raises VqlSyntaxError: the text is not a SELECT.
    :raises VqlLimitError: the text is too long or nested too deeply, or has too many conditions or fields of ORDER BY.
    """
    parser = _Parser(text)
    select = parser.select(nested=False)
    parser.end()
    return Query(select, text)


def parse_statement(text: str) -> Query | Show:
    """Return one statement, SELECT or SHOW.

    :raises VqlError: as ``parse`` does.
    """
    parser = _Parser(text)
    show = parser.show()
    statement = show or Query(parser.select(nested=False), text)
    parser.end()
    return statement


def parse_criteria(text: str) -> Criteria:
    """Return a bare WHERE expression.

    :raises VqlError: as ``parse`` does.
    """
    parser = _Parser(text)
    expression = parser.expression()
    parser.end()
    return Criteria(expression, text)


class _Parser(FindReader):
    """Reads statements and expressions; positions in the text are token numbers."""

    __slots__ = ("_nested",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nested = False  # within a sub-query, where no further one may stand

    # SELECT … FROM … FIND … WHERE … ORDER BY … limits

    def select(self, *, nested: bool) -> Select:
        """Read one SELECT, beginning with its keyword; a sub-query may have no sub-query of its own."""
        if nested and self._nested:
            self._refuse("sub-queries are one level deep")
        self._nested = nested
        self._expect("SELECT")
        # A field may have this name as well: it is the keyword only when a field follows it.
        latest = self._is_before_word() and self._take_word(SourceOption.LATESTVERSION)
        items = self._items()
        self._expect("FROM")
        option = self._option()
        at = self._next
        source = self._name("an object or relationship")
        find = self._find() if self._take("FIND") else None
        where = self.expression() if self._take("WHERE") else None
        order = self._order() if self._take("ORDER") else ()
        limits = self._limits() if self._token in _LIMITS else NO_LIMITS
        self._nested = False
        return Select(items, source, at, where, order, limits, find, option, latest)

    def _option(self) -> SourceOption | None:
        token = self._token
        word = token.upper()
        # An object may have an option's name: it is the option only with an object behind it.
        if word not in _FROM_OPTIONS or not self._is_before_word():
            return None
        self._advance()
        return SourceOption(word)

    def _items(self) -> tuple[Item | Select, ...]:
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        return tuple(items)

    def _item(self) -> Item | Select:
        if self._take("("):
            return self._sub_select()
        path, function = self._function()
        alias = self._alias() if self._take("AS") else None
        return Item(path, function, alias)

    def _sub_select(self) -> Select:
        select = self.select(nested=True)
        limits = select.limits
        only_pagesize = Limits(pagesize=limits.pagesize)
        if limits != only_pagesize:
            self._refuse("of the limits a sub-select takes PAGESIZE only", select.at)
        self._expect(")")
        return select

    def _alias(self) -> str:
        at = self._next
        alias = self._name("an alias")
        if len(alias) > MAX_ALIAS:
            self._refuse(f"an alias takes at most {MAX_ALIAS} characters", at)
        return alias

    def _order(self) -> tuple[Order | Rank, ...]:
        self._expect("BY")
        terms = [self._order_term()]
        while self._take(","):
            terms.append(self._order_term())
        if len(terms) > MAX_ORDER:
            raise VqlLimitError(f"ORDER BY takes at most {MAX_ORDER} fields")
        return tuple(terms)

    def _order_term(self) -> Order | Rank:
        at = self._next
        path, function = self._function()
        word = path.text.upper()
        if function is None and word == "RANK":
            return Rank(at)
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        return Order(path, descending, function)

    def _limits(self) -> Limits:
        found: dict[str, int] = {}
        while name := _LIMITS.get(self._token):
            if name in found:
                self._refuse(f"{name.upper()} stands twice")
            if name == "maxrows" and "pagesize" in found:
                self._refuse("MAXROWS stands before PAGESIZE")
            self._advance()
            # Pages without rows would not lead to the rows that there are.
            found[name] = self._rows(1 if name in _PAGE_SIZES else 0)
        # The legacy words LIMIT and OFFSET mean the same as the newer ones, which take precedence.
        size, offset = found.get("limit"), found.get("offset")
        if "pagesize" in found or "pageoffset" in found:
            size, offset = found.get("pagesize"), found.get("pageoffset")
        return Limits(found.get("maxrows"), found.get("skip"), size, offset)

    def _rows(self, least: int) -> int:
        token = self._token
        is_zero = not token.strip("0")
        if not _is_whole(token) or (is_zero and least):
            self._refuse(f"expected a number of rows, {least} or more")
        return min(int(self._value_of(lexical.number_value)), MAX_ROWS)

    # SHOW

    def show(self) -> Show | None:
        """Read a whole SHOW; return None when the text does not begin with SHOW."""
        if not self._take("SHOW"):
            return None
        kind = next((kind for kind in ShowKind if self._take_word(kind)), None)
        if kind is None:
            self._refuse_token("TARGETS, FIELDS or RELATIONSHIPS")
        source, at = None, self._next
        if kind is not ShowKind.TARGETS:
            self._expect("FROM")
            at = self._next
            source = self._name("a query target")
        pattern = self._pattern() if self._take("LIKE") else None
        return Show(kind, self._text, source, at, pattern)

    # WHERE

    def expression(self) -> Expression:
        """Read terms joined by OR, which binds weakest."""
        first = self._conjunction()
        if not self._is_at("OR"):
            return first
        terms = [first]
        while self._take("OR"):
            terms.append(self._conjunction())
        return Or(tuple(terms))

    def _conjunction(self) -> Expression:
        first = self._term()
        if not self._is_at("AND"):
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
        if self._is_at("NOT"):
            self._refuse("NOT is no operator of WHERE; use != or another operator")
        self._one_more_condition()
        operand = Operand(*self._function())
        token = self._token
        if token not in _OPERATORS:
            self._refuse_token("an operator")
        self._advance()
        at = self._next
        match token:
            case "CONTAINS":
                return Contains(operand, self._list(), at)
            case "BETWEEN":
                return self._between(operand)
            case "LIKE":
                return self._like(operand)
            case "IN":
                return self._semi_join(operand)
            case _:
                operator = Operator(token)
                return Comparison(operand, operator, self._literal(), at)

    def _between(self, operand: Operand) -> Between:
        at = self._next
        low = self._literal()
        self._expect("AND")
        high = self._literal()
        return Between(operand, low, high, at)

    def _like(self, operand: Operand) -> Like:
        at = self._next
        segments = self._pattern()
        if len(segments) > 1 and not segments[0]:
            self._refuse("LIKE takes no leading wildcard", at)
        return Like(operand, segments, at)

    def _pattern(self) -> tuple[str, ...]:
        token = self._token
        if not is_string(token):
            self._refuse("LIKE takes a string")
        return self._value_of(lexical.like_segments)

    def _semi_join(self, operand: Operand) -> InSelect:
        at = self._next
        if is_list(self._token):
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
        if is_list(self._token):
            return self._value_of(lexical.list_values)
        # A list of strings or of numbers is one token; one of other literals, or of both, is read here.
        self._expect("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._token
        match kind_of(token):
            case TokenKind.STRING:
                return self._value_of(lexical.string_value)
            case TokenKind.NUMBER:
                return self._value_of(lexical.number_value)
            case TokenKind.VAULT_TOKEN:
                self._advance()
                return Token(token[2:-1].lower())
            case TokenKind.OPEN_STRING:
                return self._refuse("the string that begins here is not closed")
            case _ if token in _LITERALS:
                self._advance()
                return _LITERALS[token]
            case _:
                return self._named_literal(token.upper())

    def _named_literal(self, name: str) -> Literal:
        """Read a function of states or a date literal."""
        at = self._next
        self._advance()
        if name == "STATETYPE":
            return self._state_type()
        function = _STATE_FUNCTIONS.get(name)
        if function is not None and self._take("("):
            self._expect(")")
            return StateFunction(function)
        span = relative_date(name)
        if span is not None:
            return self._counted(span)
        # Most likely a value without its quotes; the message does not repeat it, for values may be personal data.
        return self._refuse(
            "expected a value: 'text', a number, true, false, null or a date literal",
            at,
        )

    def _state_type(self) -> StateType:
        # The parenthesis with its one string is one token, as every list of strings is.
        at = self._next
        has_list = is_list(self._token)
        values = self._value_of(lexical.list_values) if has_list else ()
        match values:
            case (str(name),):
                return StateType(name)
            case _:
                return self._refuse(
                    "STATETYPE takes the name of one state type in single quotes", at
                )

    def _counted(self, span: RelativeDate) -> RelativeDate:
        """Read the ``:n`` of a date literal, and return the literal with that number."""
        is_this = span.tense is Tense.THIS
        if is_this and span.unit is Unit.DAYS:
            return span  # TODAY takes no number
        if not self._take(":"):
            # THIS_MONTH and its like may go without one; it would change nothing.
            if not is_this:
                self._refuse_token(":")
            return span
        token = self._token
        if not _is_whole(token):
            self._refuse_token("a whole number")
        count = self._value_of(lexical.number_value)
        if count > LARGEST[span.unit]:
            message = f"a date literal takes at most {LARGEST[span.unit]} {span.unit}"
            raise VqlLimitError(f"{message} ({self._place(self._next - 1)})")
        return RelativeDate(span.tense, span.unit, int(count))


def _is_whole(token: str) -> bool:
    # Other scripts have digits too, which isdecimal takes.
    is_ascii = token.isascii()
    return is_ascii and token.isdecimal()
