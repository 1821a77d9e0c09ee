"""Reads the expression of a WHERE clause by recursive descent."""

from __future__ import annotations

from abc import abstractmethod

from shared.vault.vql import vql_tokens as lexical
from shared.vault.vql.date_literals import LARGEST, relative_date
from shared.vault.vql.syntax_tree import (
    And,
    Between,
    Comparison,
    Contains,
    Expression,
    InSelect,
    Like,
    Limits,
    Literal,
    Operand,
    Or,
    RelativeDate,
    Scalar,
    Select,
    StateFunction,
    StateType,
    Token,
)
from shared.vault.vql.token_reader import TokenReader
from shared.vault.vql.vql_errors import VqlLimitError
from shared.vault.vql.vql_tokens import is_list, is_number, is_string, is_vault_token

MAX_DEPTH = 50  # parentheses within parentheses

NO_LIMITS = Limits()

_COMPARISONS = frozenset(("=", "!=", "<", ">", "<=", ">="))
_LITERALS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_STATE_FUNCTIONS = frozenset(
    ("STEADYSTATE", "OBSOLETESTATE", "SUPERSEDEDSTATE", "DELETEDSTATE")
)


class ExpressionParser(TokenReader):
    """Expressions; the sub-select of a semi-join is for ``select`` of a subclass to read."""

    __slots__ = ("_depth",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    @abstractmethod
    def select(self, *, nested: bool) -> Select:
        """One SELECT, from its keyword on."""

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

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            message = (
                f"parentheses go deeper than {MAX_DEPTH} ({self._place(self._next)})"
            )
            raise VqlLimitError(message)

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
