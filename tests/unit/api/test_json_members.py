"""A JSON object that names a member twice is refused, however it is written; any other is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.api.json_rows import parse_json_record, parse_json_rows
from shared.vault.errors import VaultFault

NAMES = st.sampled_from(["a", "b", ":", 'a"', 'a":', "a\\", " ", "é"])
VALUES = st.sampled_from(
    ["", ":", '":', '"a":1', "\\", '\\"', " :", 'x" :', 1, True, None, [":", '"']]
)
SPACE = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])
OBJECTS = st.lists(
    st.lists(st.tuples(NAMES, VALUES), max_size=4), min_size=1, max_size=3
)


@given(OBJECTS, SPACE, SPACE, st.booleans())
def test_only_repeated_names_are_refused(
    objects: list[list[tuple[str, object]]], before: str, after: str, ascii_only: bool
) -> None:
    def written(value: object) -> str:
        return json.dumps(value, ensure_ascii=ascii_only)

    texts = [
        f",{after}".join(
            f"{written(name)}{before}:{after}{written(value)}" for name, value in pairs
        )
        for pairs in objects
    ]
    body = "[" + ",".join(f"{{{text}}}" for text in texts) + "]"
    if all(len(dict(pairs)) == len(pairs) for pairs in objects):
        assert parse_json_rows(body.encode()) == [dict(pairs) for pairs in objects]
    else:
        with pytest.raises(VaultFault, match="twice") as fault:
            parse_json_rows(body.encode())
        assert fault.value.error.type is ErrorType.INVALID_DATA


@pytest.mark.parametrize(
    "text",
    [
        '{"name__v": "x", "name__v": "y"}',
        '{"name__v" : "x", "key__c" : "y", "name__v" : "y"}',
        '{"name__v":"x","\\u006eame__v":"y"}',
    ],
)
def test_a_record_is_refused_as_well(text: str) -> None:
    with pytest.raises(VaultFault, match=r"an object has \[name__v\] twice"):
        parse_json_record(text.encode())


def test_rows_of_a_large_body_are_looked_at_one_by_one() -> None:
    long = "x" * 200_000
    rows = ",".join(f'{{"name__v":"{long}"}}' for _ in range(6))
    repeated = '{"name__v":"a","name__v":"b"}'
    assert len(parse_json_rows(f"[{rows}]".encode())) == 6
    with pytest.raises(VaultFault, match="twice"):
        parse_json_rows(f"[{rows},{repeated}]".encode())


def test_deeply_nested_text_is_refused_in_words() -> None:
    nested = '[{"a":' + "[" * 900 + "]" * 900 + ',"b":":"}]'
    with pytest.raises(VaultFault, match="row 1"):
        parse_json_rows(nested.encode())
