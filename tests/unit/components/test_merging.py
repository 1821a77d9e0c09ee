"""A component of a newer version keeps the changes made since the version before was delivered."""

from __future__ import annotations

import pytest

from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import parse
from shared.vault.components.merging import MergeConflict, merge

GIVEN = "label('Thing'), prefix('ZTH'), Field a__v (type('String'), label('A'), max_length(10))"
OWN_FIELD = "Field own__c (type('String'), label('Own'), max_length(5))"
NEW_FIELD = "Field new__v (type('String'), label('New'), max_length(5))"


def thing(text: str | None) -> Component | None:
    return (
        None
        if text is None
        else parse(f"RECREATE Object thing__v ({text});")[0].component
    )


def merged(given: str | None, current: str | None, following: str) -> Component | None:
    component = thing(following)
    assert component is not None
    return merge(thing(given), thing(current), component)


@pytest.mark.parametrize(
    ("given", "current", "following", "expected"),
    [
        pytest.param(None, None, GIVEN, GIVEN, id="new"),
        pytest.param(
            GIVEN,
            GIVEN,
            f"{GIVEN}, {NEW_FIELD}",
            f"{GIVEN}, {NEW_FIELD}",
            id="untouched",
        ),
        pytest.param(
            GIVEN,
            f"{GIVEN}, {OWN_FIELD}",
            GIVEN,
            f"{GIVEN}, {OWN_FIELD}",
            id="changed here only",
        ),
        pytest.param(GIVEN, None, GIVEN, None, id="dropped here only"),
        pytest.param(
            GIVEN,
            f"{GIVEN}, {OWN_FIELD}",
            f"{GIVEN}, {NEW_FIELD}",
            f"{GIVEN}, {NEW_FIELD}, {OWN_FIELD}",
            id="both add",
        ),
        pytest.param(
            GIVEN,
            GIVEN.replace("'A'", "'Mine'"),
            GIVEN.replace("max_length(10)", "max_length(20)"),
            GIVEN.replace("'A'", "'Mine'").replace("max_length(10)", "max_length(20)"),
            id="two attributes of one field",
        ),
        pytest.param(
            f"{GIVEN}, {NEW_FIELD}",
            f"{GIVEN}, {NEW_FIELD}, {OWN_FIELD}",
            GIVEN,
            f"{GIVEN}, {OWN_FIELD}",
            id="taken away",
        ),
        pytest.param(
            f"{GIVEN}, {NEW_FIELD}",
            GIVEN,
            f"{GIVEN}, {NEW_FIELD}",
            GIVEN,
            id="field dropped here",
        ),
        pytest.param(
            GIVEN,
            GIVEN.replace("'A'", "'B'"),
            GIVEN.replace("'A'", "'B'"),
            GIVEN.replace("'A'", "'B'"),
            id="the same",
        ),
    ],
)
def test_what_was_changed_on_one_side_is_taken(
    given: str | None, current: str | None, following: str, expected: str | None
) -> None:
    assert merged(given, current, following) == thing(expected)


@pytest.mark.parametrize(
    ("given", "current", "following", "what"),
    [
        pytest.param(
            GIVEN,
            GIVEN.replace("'A'", "'B'"),
            GIVEN.replace("'A'", "'C'"),
            "a__v: label",
            id="attribute",
        ),
        pytest.param(
            GIVEN,
            None,
            f"{GIVEN}, {NEW_FIELD}",
            "Object.thing__v",
            id="dropped and changed",
        ),
        pytest.param(
            None,
            GIVEN,
            f"{GIVEN}, {NEW_FIELD}",
            "Object.thing__v",
            id="made here and shipped",
        ),
        pytest.param(
            GIVEN,
            "label('Thing'), prefix('ZTH')",
            GIVEN.replace("'A'", "'C'"),
            "a__v",
            id="dropped field",
        ),
        pytest.param(
            GIVEN,
            f"{GIVEN}, {NEW_FIELD}",
            f"{GIVEN}, {NEW_FIELD.replace('(5)', '(6)')}",
            "new__v",
            id="field of one name added twice",
        ),
    ],
)
def test_what_was_changed_on_both_sides_is_a_conflict(
    given: str | None, current: str | None, following: str, what: str
) -> None:
    with pytest.raises(MergeConflict, match=what):
        merged(given, current, following)
