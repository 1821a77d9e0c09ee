"""Every regular expression is listed, and takes at most about twice the work for twice the text."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Annotated

import pytest
from pydantic import StringConstraints, TypeAdapter, ValidationError

from shared.vault.components import mdl
from tests.unit.readers import expression_search as search
from tests.unit.readers.expression_catalogue import (
    CONSTRAINTS,
    EXPRESSIONS,
    MADE_AT_RUN_TIME,
)
from tests.unit.readers.growth import NotLinear, Run, require_linear, seconds
from tests.unit.readers.hostile_texts import Hostile, hostile_texts

# All hostile texts are tried at these lengths, and the slowest of them at ever longer ones.
TRIED = (20, 300, 2_000)
SLOWEST = 4
SMALLEST = 1_000
LARGEST = 64_000
# Seconds for a text of 2,000 characters; a linear expression takes a tenth of it.
SUSPICIOUS = 0.01

Apply = Callable[[str], object]


def applications() -> Iterator[tuple[str, str, int, Apply]]:
    """Yield name, expression, flags and application of everything in the catalogue."""
    for name, modes in EXPRESSIONS.items():
        module, _, attribute = name.partition(":")
        pattern = as_text(getattr(importlib.import_module(module), attribute))
        for mode in sorted(modes):
            apply = method(pattern, mode)
            yield f"{name} {mode}", pattern.pattern, pattern.flags, apply
    for name, forms in MADE_AT_RUN_TIME.items():
        for form, apply in forms.items():
            yield f"{name} {apply.__name__}", form, 0, apply
    for terminal in mdl._parser().terminals:
        pattern = re.compile(terminal.pattern.to_regexp())
        yield f"MDL {terminal.name}", pattern.pattern, pattern.flags, pattern.match
    for place, text in search.constraints().items():
        yield f"{place} pydantic", text, 0, constrained(text)


def as_text(pattern: re.Pattern[str] | re.Pattern[bytes]) -> re.Pattern[str]:
    """An expression of bytes as the same one of text, with one character for each byte."""
    if isinstance(pattern.pattern, str):
        return re.compile(pattern.pattern, pattern.flags)
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags | re.ASCII)


def method(pattern: re.Pattern[str], mode: str) -> Apply:
    match mode:
        case "sub":
            return lambda text: pattern.sub("", text)
        case "finditer":
            return lambda text: sum(1 for _ in pattern.finditer(text))
        case _:
            apply: Apply = getattr(pattern, mode)
            return apply


def constrained(pattern: str) -> Apply:
    adapter = TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])

    def apply(text: str) -> object:
        try:
            return adapter.validate_python(text)
        except ValidationError:
            return None

    return apply


APPLICATIONS = {
    name: (pattern, flags, apply) for name, pattern, flags, apply in applications()
}


def test_every_expression_is_in_the_catalogue() -> None:
    assert set(map(str, search.named_expressions())) == set(EXPRESSIONS)


def test_every_way_of_applying_an_expression_is_in_the_catalogue() -> None:
    found = {str(place): modes for place, modes in search.applied().items()}
    missing = {
        name: found[name].difference(modes)
        for name, modes in EXPRESSIONS.items()
        if name in found and not found[name].issubset(modes)
    }
    assert not missing


def test_expressions_are_made_once_and_named_but_for_those_listed() -> None:
    assert set(map(str, search.unnamed_expressions())) == set(MADE_AT_RUN_TIME)
    assert not search.imports_of_re_members()


def test_patterns_of_annotations_are_listed() -> None:
    assert set(map(str, search.constraints())) == CONSTRAINTS


@pytest.mark.parametrize("name", APPLICATIONS)
def test_twice_the_text_takes_about_twice_the_work(name: str) -> None:
    require_linear_expression(*APPLICATIONS[name])


def require_linear_expression(pattern: str, flags: int, apply: Apply) -> None:
    """Try all hostile texts, short before long, and double the length of the slowest.

    :raises NotLinear: when one takes more than about twice the work for twice its length.
    """
    taken: dict[Hostile, float] = {}
    for hostile in hostile_texts(pattern, flags):
        taken[hostile] = tried(hostile, apply)
        # It is the slowest so far by far: without a need to try all the others as well.
        if taken[hostile] > SUSPICIOUS:
            require_linear(prepared(hostile, apply), SMALLEST, LARGEST)
    for hostile in sorted(taken, key=lambda each: taken[each])[-SLOWEST:]:
        require_linear(prepared(hostile, apply), SMALLEST, LARGEST)


def tried(hostile: Hostile, apply: Apply) -> float:
    """Return the seconds for the longest of a few texts.

    :raises NotLinear: when a short one takes long already, as it does where the work is a power of the length.
    """
    taken = 0.0
    for length in TRIED:
        run = prepared(hostile, apply)(length)
        taken = seconds(run)
        if length < TRIED[-1] and taken > SUSPICIOUS and seconds(run, 2) > SUSPICIOUS:
            raise NotLinear(f"{hostile}: {taken:.3f} s for {length} characters")
    return taken


def prepared(hostile: Hostile, apply: Apply) -> Callable[[int], Run]:
    def prepare(length: int) -> Run:
        text = hostile.text(length)
        return lambda: apply(text)

    return prepare


@pytest.mark.parametrize(
    ("pattern", "mode"),
    [
        (r"'(?:[^'\\]++|\\.|'')*+'", "findall"),
        (r"\d++(?![\w.])", "findall"),
        (r"\[(\w+)\s*=\s*[^\]]*\]", "sub"),
        (r"[+-]?(\d+\.?\d*|\.\d+)", "fullmatch"),
        (r"\s*(?:(add|delete)\s*\(([\d\s,]*)\)|([\d\s,]*))\s*", "fullmatch"),
        (r"(a+)+b", "match"),
        (r"\s+$", "search"),
        (r"<!--.*?-->", "sub"),
    ],
)
def test_the_hostile_texts_find_what_is_not_linear(pattern: str, mode: str) -> None:
    compiled = re.compile(pattern, re.DOTALL)
    with pytest.raises(NotLinear):
        require_linear_expression(pattern, re.DOTALL, method(compiled, mode))
