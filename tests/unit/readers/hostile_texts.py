"""Makes texts that nearly match a regular expression, from the expression itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Any, NamedTuple

_PARSER: Any = re._parser
_ENDS = ("", "\x01", "\n")
_FOREIGN = "é"
MAX_ALPHABET = 9
MAX_BEGINNINGS = 8
# One of each category, by the names that the parser has for them.
_CATEGORIES = {
    "CATEGORY_DIGIT": "1",
    "CATEGORY_SPACE": " ",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": "!",
}
_ANY = "ab1 _.'\"\\!<[({"


class Hostile(NamedTuple):
    """A text of any length: a beginning, a repeated part, and an end."""

    begin: str
    repeated: str
    end: str

    def text(self, length: int) -> str:
        """Return the text with about ``length`` characters."""
        times = max(1, (length - len(self.begin)) // len(self.repeated))
        return self.begin + self.repeated * times + self.end


def hostile_texts(pattern: str, flags: int) -> list[Hostile]:
    """Return texts that begin as matches do, repeat their parts, and end as no match does."""
    parsed = _PARSER.parse(pattern, flags)
    beginnings = list(dict.fromkeys(["", *_beginnings(parsed)]))[:MAX_BEGINNINGS]
    alphabet = _alphabet(parsed)
    ends = {
        "": _ENDS,
        "own": (*_ENDS, alphabet[0], *filter(str.isalnum, alphabet[:-1])),
    }
    units = dict.fromkeys([*alphabet, *filter(None, beginnings)], "own")
    pairs = map("".join, permutations(alphabet, 2))
    repeated = {**dict.fromkeys(pairs, ""), **units}
    return [
        Hostile(begin, each, end)
        for begin in beginnings
        for each, kind in repeated.items()
        for end in ends[kind]
    ]


def _alphabet(parsed: Any) -> list[str]:
    """Return characters that the expression distinguishes: those it names, and one of each class."""
    named = dict.fromkeys(_named(parsed))
    # Those that are no letters come first, for they begin and end things.
    marks = [each for each in named if not each.isalnum()]
    others = [each for each in named if each.isalnum()]
    kept = [*marks, *others][: MAX_ALPHABET - 1]
    return list(dict.fromkeys([*kept, *(others[:1] or ["a"]), _FOREIGN]))


def _named(parsed: Iterable[Any]) -> Iterator[str]:
    for operator, argument in parsed:
        name = str(operator)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(argument)
        elif name == "IN":
            yield from _members(argument)
        else:
            for inner in _inner(argument):
                yield from _named(inner)


def _members(argument: Any) -> Iterator[str]:
    for operator, value in argument:
        match str(operator):
            case "LITERAL":
                yield chr(value)
            case "RANGE":
                yield chr(value[0])
            case "CATEGORY":
                yield _CATEGORIES[str(value)]


def _inner(argument: Any) -> Iterator[Any]:
    """Yield the expressions within an argument of the parser, at whatever place it has them."""
    if hasattr(argument, "data"):
        yield argument
    elif isinstance(argument, tuple | list):
        for each in argument:
            yield from _inner(each)


def _beginnings(parsed: Any, before: str = "") -> Iterator[str]:
    """Yield the possible beginnings of a match: up to each part, and up to each nested part."""
    so_far = before
    for operator, argument in parsed:
        for inner in _inner(argument):
            yield from _beginnings(inner, so_far)
        so_far += _sample([(operator, argument)])
        yield so_far


def _sample(parsed: Iterable[Any]) -> str:
    """Return a short text that the expression matches; lookarounds are ignored."""
    return "".join(_sample_of(str(operator), argument) for operator, argument in parsed)


def _sample_of(operator: str, argument: Any) -> str:
    match operator:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
            return _one_of(operator, argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, _, repeated = argument
            times: int = max(1, least)
            return _sample(repeated) * times
        case "SUBPATTERN" | "ATOMIC_GROUP" | "BRANCH":
            return _sample(next(_inner(argument)))
        case "ASSERT" | "ASSERT_NOT" | "AT" | "GROUPREF" | "GROUPREF_EXISTS":
            return ""
        case _:
            message = f"the sample of {operator} is not known"
            raise NotImplementedError(message)


def _one_of(operator: str, argument: Any) -> str:
    """Return a character that a single one, or a class, matches."""
    is_excluding = operator == "NOT_LITERAL"
    named: set[str] = set()
    if is_excluding or operator == "LITERAL":
        named = {chr(argument)}
    if operator == "IN":
        is_excluding = str(argument[0][0]) == "NEGATE"
        named = set(_members(argument))
    if operator == "ANY" or is_excluding:
        return next(each for each in _ANY if each not in named)
    return min(named)
