"""Reads MDL text into statements."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from shared.vault.components.component_errors import MdlSyntaxError, syntax_error
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.statement import (
    AddChild,
    AddValues,
    Change,
    Command,
    Condition,
    DropAttribute,
    DropChild,
    DropValues,
    ModifyChild,
    RenameChild,
    SetAttribute,
    Statement,
)

__all__ = ["MdlSyntaxError", "Statement", "parse"]


MAX_DEPTH = 20  # sub-components within sub-components; no type has so many
MAX_VALUES = 10_000  # of one attribute
# Names, values and punctuation of a script: each takes some microseconds, whatever its length. Standard configuration
# has one in seven characters.
MAX_TOKENS = 500_000


def parse(text: str) -> list[Statement]:
    """Return the statements of an MDL script; none if it has only blanks and comments.

    :raises MdlSyntaxError: at the first place that is not MDL, that repeats an attribute or sub-component, that is
        nested too deeply, or where there are too many values or tokens.
    """
    reading = _parser().parse_interactive(text)
    token: Token | None = None
    try:
        for count, token in enumerate(reading.iter_parse(), start=1):
            if count > MAX_TOKENS:
                raise _refused(
                    f"A script has at most {MAX_TOKENS:,} names, values and punctuation marks.",
                    token,
                )
        end = reading.feed_eof(token)  # type: ignore[no-untyped-call]
        return cast("list[Statement]", end)
    except UnexpectedInput as error:
        raise syntax_error(error, text) from None
    # Lark wraps whatever a method of the builder raises.
    except VisitError as error:
        if isinstance(error.orig_exc, MdlSyntaxError):
            raise error.orig_exc from None
        raise


# A quote within a string is written with a backslash, or doubled.
_ESCAPE = re.compile(r"\\(['\\])|''")


def _string(token: Token) -> str:
    """Return the text between the quotes; a backslash escapes a quote or a backslash only."""
    return _ESCAPE.sub(lambda match: match[1] or "'", token[1:-1])


def _number(token: Token) -> int | float:
    value = float(token) if any(mark in token for mark in ".eE") else int(token)
    # Python reads a number that is too large as infinity, which JSON cannot have.
    if not isfinite(value):
        raise _refused("The number is too large.", token)
    return value


def _values(name: Token, values: Iterable[Scalar | None]) -> tuple[Scalar, ...]:
    """Return the values of an attribute, without omitted ones.

    :raises MdlSyntaxError: when an attribute may not have so many.
    """
    found = tuple(value for value in values if value is not None)
    if len(found) > MAX_VALUES:
        raise _refused(f"{name} has more than {MAX_VALUES:,} values.", name)
    return found


@dataclass(frozen=True, slots=True)
class _Attribute:
    token: Token
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class _Subcomponent:
    token: Token
    component: Component
    depth: int


@dataclass(frozen=True, slots=True)
class _Changes:
    """The changes within one pair of parentheses, and their nesting depth."""

    changes: tuple[Change, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class _Modification:
    change: ModifyChild
    depth: int


_Item = _Attribute | _Subcomponent


class _Builder(Transformer[Token, list[Statement]]):
    """Builds statements from the rules of the grammar while the text is read."""

    def start(self, statements: list[Statement | None]) -> list[Statement]:
        return [statement for statement in statements if statement is not None]

    @v_args(inline=True)
    def create(
        self,
        command: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
        items: list[_Item] | None,
    ) -> Statement:
        component = _component(type_, name, items or [])
        return Statement(
            Command(command.upper()),
            component.type,
            component.name,
            _line(command),
            component,
            condition=condition or Condition.NONE,
        )

    # Both have the same parts; they differ by the command.
    recreate = create

    @v_args(inline=True)
    def alter(
        self,
        command: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
        body: _Changes,
    ) -> Statement:
        return Statement(
            Command.ALTER,
            str(type_),
            str(name),
            _line(command),
            changes=body.changes,
            condition=condition or Condition.NONE,
        )

    @v_args(inline=True)
    def rename(
        self,
        command: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
        new_name: Token,
    ) -> Statement:
        return Statement(
            Command.RENAME,
            str(type_),
            str(name),
            _line(command),
            new_name=str(new_name),
            condition=condition or Condition.NONE,
        )

    @v_args(inline=True)
    def drop(
        self,
        command: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
    ) -> Statement:
        return Statement(
            Command.DROP,
            str(type_),
            str(name),
            _line(command),
            condition=condition or Condition.NONE,
        )

    @v_args(inline=True)
    def condition(self, token: Token) -> Condition:
        return Condition(" ".join(token.upper().split()))

    def body(self, items: list[_Item | None]) -> list[_Item]:
        return [item for item in items if item is not None]

    def changes(self, read: list[Change | _Modification | None]) -> _Changes:
        changes: list[Change] = []
        depth = 0
        for change in read:
            if isinstance(change, _Modification):
                depth = max(depth, change.depth)
                changes.append(change.change)
            elif change is not None:
                changes.append(change)
        return _Changes(tuple(changes), depth + 1)

    @v_args(inline=True)
    def attribute(self, token: Token, *values: Scalar | None) -> _Attribute:
        return _Attribute(token, _values(token, values))

    @v_args(inline=True)
    def subcomponent(
        self,
        type_: Token,
        name: Token,
        items: list[_Item],
    ) -> _Subcomponent:
        inner = [item.depth for item in items if isinstance(item, _Subcomponent)]
        depth = _checked_depth(1 + max(inner, default=0), type_)
        return _Subcomponent(type_, _component(type_, name, items), depth)

    @v_args(inline=True)
    def set_attribute(self, attribute: _Attribute) -> SetAttribute:
        return SetAttribute(str(attribute.token), attribute.values)

    @v_args(inline=True)
    def add_values(self, name: Token, _: Token, *values: Scalar | None) -> AddValues:
        return AddValues(str(name), _values(name, values))

    @v_args(inline=True)
    def drop_values(self, name: Token, _: Token, *values: Scalar | None) -> DropValues:
        return DropValues(str(name), _values(name, values))

    @v_args(inline=True)
    def drop_attribute(
        self,
        _: Token,
        name: Token,
    ) -> DropAttribute:
        return DropAttribute(str(name))

    @v_args(inline=True)
    def add_child(
        self,
        _: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
        items: list[_Item],
    ) -> AddChild:
        return AddChild(_component(type_, name, items), condition or Condition.NONE)

    @v_args(inline=True)
    def modify_child(
        self,
        _: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
        body: _Changes,
    ) -> _Modification:
        change = ModifyChild(
            str(type_),
            str(name),
            body.changes,
            condition or Condition.NONE,
        )
        return _Modification(change, _checked_depth(body.depth, type_))

    @v_args(inline=True)
    def rename_child(
        self,
        _: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
        new_name: Token,
    ) -> RenameChild:
        return RenameChild(
            str(type_),
            str(name),
            str(new_name),
            condition or Condition.NONE,
        )

    @v_args(inline=True)
    def drop_child(
        self,
        _: Token,
        type_: Token,
        condition: Condition | None,
        name: Token,
    ) -> DropChild:
        return DropChild(str(type_), str(name), condition or Condition.NONE)

    @v_args(inline=True)
    def string(self, token: Token) -> str:
        return _string(token)

    @v_args(inline=True)
    def number(self, token: Token) -> int | float:
        return _number(token)

    @v_args(inline=True)
    def reference(self, token: Token) -> str:
        return str(token)

    @v_args(inline=True)
    def embedded(self, token: Token) -> Embedded:
        return Embedded(token)

    def true(self, _: list[Token]) -> bool:
        return True

    def false(self, _: list[Token]) -> bool:
        return False


def _component(
    type_: Token,
    name: Token,
    items: list[_Item],
) -> Component:
    attributes: dict[str, tuple[Scalar, ...]] = {}
    children: dict[tuple[str, str], Component] = {}
    for item in items:
        if isinstance(item, _Attribute):
            if item.token in attributes:
                raise _repeated(f"attribute {item.token}", name, item.token)
            attributes[str(item.token)] = item.values
        else:
            child = item.component
            if child.key in children:
                raise _repeated(f"{child.type} {child.name}", name, item.token)
            children[child.key] = child
    return Component(
        str(type_),
        str(name),
        attributes,
        tuple(children.values()),
    )


def _checked_depth(depth: int, at: Token) -> int:
    """Return the nesting depth of the construct that begins at a token.

    :raises MdlSyntaxError: when it exceeds the depth that the recursion through components allows.
    """
    if depth <= MAX_DEPTH:
        return depth
    raise _refused(f"Sub-components are nested deeper than {MAX_DEPTH} levels.", at)


def _repeated(
    what: str,
    owner: Token,
    at: Token,
) -> MdlSyntaxError:
    return _refused(f"The {what} of {owner} is written twice.", at)


def _refused(message: str, at: Token) -> MdlSyntaxError:
    """Return the error for a token that the grammar allows and another rule does not."""
    return MdlSyntaxError(message, at.line or 1, at.column or 1)


def _line(token: Token) -> int:
    return token.line or 1


@cache
def _parser() -> Lark:
    """Return the parser of the grammar, made at first use, since most processes of a Vault parse nothing."""
    grammar = files("shared.vault.components").joinpath("grammar.lark")
    return Lark(
        grammar.read_text(encoding="utf-8"),
        parser="lalr",
        # Statements are built while the text is read: a large script never becomes a syntax tree.
        transformer=_Builder(),
        # An optional part that is missing is passed as None.
        maybe_placeholders=True,
    )
