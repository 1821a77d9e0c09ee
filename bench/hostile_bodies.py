"""Makes request bodies that are meant to overload a Vault: as large as allowed, or with as many parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

MEGABYTE = 10**6

JSON = "application/json"
CSV = "text/csv"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"
MULTIPART = "multipart/form-data; boundary=XX"


@dataclass(frozen=True, slots=True)
class HostileBody:
    """A body, its call, and the error that a caller with the right to the call gets.

    ``error`` is None when the call accepts the body, and its rows have errors of their own.
    """

    name: str
    path: str
    content_type: str
    make: Callable[[], bytes]
    error: str | None

    def __str__(self) -> str:
        """Return the name, which also names the body's test."""
        return self.name


def hostile_bodies(records: str) -> Iterator[HostileBody]:
    """Yield the bodies; ``records`` is the path of an object's records below the version."""
    yield from _of_json(records)
    yield from _of_forms_and_csv(records)
    script = "/api/mdl/execute"
    yield HostileBody("100,000 statements", script, TEXT, _statements, "INVALID_DATA")
    yield HostileBody("2 million values", script, TEXT, _values, "INVALID_DATA")
    one_text = "EXCEEDS_FILE_MAX_SIZE"
    yield HostileBody("sign-in of 40 MB", "/auth", FORM, _long_sign_in, one_text)


def _of_json(records: str) -> Iterator[HostileBody]:
    for name, make, error in (
        ("12 million numbers, one of them long", _long_number, "INVALID_DATA"),
        ("12 million numbers", _numbers, "INVALID_DATA"),
        ("50,000 long numbers", _long_numbers, "INVALID_DATA"),
        ("1.5 million unknown keys", _keys_of_one_row, "INVALID_DATA"),
        ("as many unknown keys as are taken", _keys, None),
        ("as many list items as are taken", _items, None),
        ("36 MB of text, four bytes a character", _texts, None),
        ("49 MB of text, four bytes a character", _more_texts, "INVALID_DATA"),
        ("40 MB of brackets", _brackets, "INVALID_DATA"),
    ):
        yield HostileBody(name, records, JSON, make, error)


def _of_forms_and_csv(records: str) -> Iterator[HostileBody]:
    too_long = "EXCEEDS_FILE_MAX_SIZE"
    for name, kind, make, error in (
        ("form of 16 million escapes", FORM, _escapes, too_long),
        ("form of as many escapes as are taken", FORM, _fewer_escapes, None),
        ("form of 1 MB of part headers", MULTIPART, _part_headers, "INVALID_DATA"),
        ("48 million empty lines", CSV, _empty_lines, "INVALID_DATA"),
        ("1.5 million columns", CSV, _columns, "INVALID_DATA"),
        ("a cell of 48 MB", CSV, _cell, "INVALID_DATA"),
        ("a row of 4 million cells", CSV, _cells, "INVALID_DATA"),
    ):
        yield HostileBody(name, records, kind, make, error)


def _long_number() -> bytes:
    return b'[{"name__v":[' + b"123," * 12_000_000 + b"12345678901234567.5]}]"


def _numbers() -> bytes:
    return b'[{"name__v":[' + b"123," * 12_000_000 + b"1]}]"


def _long_numbers() -> bytes:
    return b'[{"name__v":[' + b"1234567890123456.7," * 50_000 + b"1]}]"


def _keys_of_one_row() -> bytes:
    return orjson.dumps([{f"key_{number}": "" for number in range(1_500_000)}])


def _keys() -> bytes:
    row = {f"key_{number}": "" for number in range(999)}
    return orjson.dumps([row] * 250)


def _items() -> bytes:
    row = {"name__v": [0] * 999}
    return orjson.dumps([row] * 250)


def _texts(rows: int = 125) -> bytes:
    # One wide character makes each character of a text in memory as wide.
    text = "\N{GRINNING FACE}" + "x" * 290_000
    return orjson.dumps([{"name__v": text}] * rows)


def _more_texts() -> bytes:
    return _texts(165)


def _brackets() -> bytes:
    return b"[" * (40 * MEGABYTE)


def _escapes() -> bytes:
    return b"name__v=" + b"%41" * 16_000_000


def _fewer_escapes() -> bytes:
    return b"name__v=" + b"%e2%82%acx" * 100_000


def _part_headers() -> bytes:
    return b"--XX\r\n" + b"A: b\r\n" * 170_000


def _empty_lines() -> bytes:
    return b"name__v\n" + b"\n" * (48 * MEGABYTE)


def _columns() -> bytes:
    names = b",".join(b"key_%d" % number for number in range(1_500_000))
    return names + b"\n" + b"," * 1_499_999 + b"\n"


def _cell() -> bytes:
    return b"name__v\n" + b"x" * (48 * MEGABYTE)


def _cells() -> bytes:
    return b"name__v\n" + b"," * (4 * MEGABYTE) + b"\n"


def _statements() -> bytes:
    return b"DROP Object IF EXISTS gone__c;\n" * 100_000


def _values() -> bytes:
    return b"RECREATE Permissionset a__c (permissions(" + b"1," * 2_000_000 + b"1));"


def _long_sign_in() -> bytes:
    return b"username=" + b"x" * (40 * MEGABYTE)
