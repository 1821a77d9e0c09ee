"""Reads JSON bodies as flat rows within bounds; a large body row by row, so that no step blocks for long."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from itertools import chain
from typing import TypeGuard, cast

import orjson

from shared.protocol import json_values as exact_json
from shared.protocol.error_types import ErrorType
from shared.vault.api.body_limits import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_MEMBERS,
    MAX_ROW_BYTES,
    MAX_TEXT,
    MAX_TEXT_BYTES,
    MAX_VALUES,
)
from shared.vault.api.json_members import refuse_repeated_members
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS, too_many_rows

WHOLE_BYTES = 2**20  # decoded in one step of some 20 ms at most, whatever it holds
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_CHARACTER = 4  # bytes of a character in memory
MAX_TEXT_OVERHEAD = 80  # bytes of a text in memory, beside its characters
SCALARS = frozenset({str, bool, int, float, type(None)})

# Strings whole, so that no mark within one counts; an unterminated one ends where the text ends.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[][{},]', re.DOTALL)
# A pair of surrogates is a character; half of one is none, and the decoder would refuse all rows for it.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_COMMA, _OPENING, _CLOSING = b","[0], frozenset(b"[{"), frozenset(b"]}")


def parse_json_rows(body: bytes) -> list[dict[str, object]]:
    """Return the rows of a JSON array of flat objects; a single object is one row.

    :raises VaultFault: INVALID_DATA when the body is anything else, or has too many rows, members or values.
    """
    text = body.removeprefix(BYTE_ORDER_MARK).strip()
    if not text:
        return []
    if len(text) > WHOLE_BYTES and text.startswith(b"["):
        return _checked(_elements(text))
    document = _document(text, MAX_ROW_BYTES)
    rows = [document] if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise unreadable("it is not a JSON array of records")
    if len(rows) > MAX_ROWS:
        raise too_many_rows()
    # Most bodies keep all bounds, which is found out for all of their values together.
    read = rows if _keeps_bounds(rows, len(text)) else _checked(rows)
    refuse_repeated_members(text, read)
    return read


def parse_json_record(
    body: bytes,
    limit: int = MAX_ROW_BYTES,
) -> dict[str, object]:
    """Return the members of a flat JSON object of at most ``limit`` bytes; none for an empty body.

    :raises VaultFault: INVALID_DATA when the body is anything else, or has too many members or values.
    """
    document = parse_json_object(body, limit)
    _check_flat(document, 1, RowTally())
    refuse_repeated_members(body.removeprefix(BYTE_ORDER_MARK), [document])
    return document


def parse_json_object(body: bytes, limit: int) -> dict[str, object]:
    """Return the members of a JSON object of at most ``limit`` bytes, whatever their shape; none for an empty body.

    :raises VaultFault: INVALID_DATA when the body is anything else.
    """
    text = body.removeprefix(BYTE_ORDER_MARK).strip()
    if not text:
        return {}
    document = _document(text, limit)
    if not isinstance(document, dict):
        raise unreadable("it is not a JSON object")
    return document


def _document(text: bytes, limit: int) -> object:
    """Return the value of a JSON text, decoded in one step; of a long text, the values are counted first.

    :raises VaultFault: INVALID_DATA when the text is not JSON, or has too many values.
    """
    if len(text) > WHOLE_BYTES:
        _element(text, 0, limit, number=1)
    try:
        return _loads(text)
    except orjson.JSONDecodeError as error:
        # The decoder's message quotes the text, which may be personal data; the place alone says enough.
        place = f"line {error.lineno}, column {error.colno}"
        raise unreadable(f"it is not JSON at {place}") from error
    except RecursionError as error:
        raise unreadable("it is nested too deeply") from error


def _loads(text: bytes) -> object:
    """Return the value of a JSON text, with NUL, which no field takes, in place of each half of a surrogate pair.

    :raises orjson.JSONDecodeError: the text is not JSON.
    """
    try:
        return exact_json.loads(text)
    except orjson.JSONDecodeError:
        whole = _ESCAPE.sub(lambda found: rb"\u0000" if found[1] else found[0], text)
        if whole == text:
            raise
        return exact_json.loads(whole)


def _elements(text: bytes) -> Iterator[object]:
    """Yield the elements of a JSON array; decode each of them separately."""
    start, values, number = 1, 0, 1
    while True:
        end, commas = _element(text, start, MAX_ROW_BYTES, number)
        element = text[start:end].strip()
        is_last = text[end : end + 1] == b"]"
        if element or number > 1 or not is_last:
            values += commas + 1
            if values > MAX_VALUES:
                raise too_many_values()
            yield _decoded(element, number)
        if text[end : end + 1] != b",":
            break
        start, number = end + 1, number + 1
    if not is_last or text[end + 1 :]:
        raise unreadable(f"it is not JSON after row {number}")


def _element(
    text: bytes,
    start: int,
    limit: int,
    number: int,
) -> tuple[int, int]:
    """Return the position at which the element that begins at ``start`` ends, and its number of commas."""
    depth = commas = 0
    for token in _TOKEN.finditer(text, start, start + limit):
        at = token.start()
        mark = text[at]
        if mark in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise unreadable("it is nested too deeply")
        elif depth == 0 and (mark == _COMMA or mark in _CLOSING):
            return at, commas
        elif mark in _CLOSING:
            depth -= 1
        elif mark == _COMMA:
            commas += 1
            if commas >= MAX_VALUES:
                raise too_many_values()
    if len(text) > start + limit:
        message = f"Row {number} has more than {limit} bytes"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return len(text), commas


def _decoded(element: bytes, number: int) -> object:
    """Return one element of an array."""
    try:
        row = _loads(element)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise unreadable(f"row {number} is not JSON") from error
    if isinstance(row, dict):
        refuse_repeated_members(element, [row])
    return row


def _keeps_bounds(rows: list[object], size: int) -> TypeGuard[list[dict[str, object]]]:
    """Return whether rows of a text of ``size`` bytes are flat objects within all bounds.

    If not, ``_checked`` finds the row to name; it also knows exactly how large texts are in memory.
    """
    if set(map(type, rows)) != {dict}:
        return False
    flat = cast("list[dict[str, object]]", rows)
    lengths = set(map(len, flat))
    values = [row.values() for row in flat]
    # Rows of one length mostly have the same keys, and the values of a key one type.
    columns = list(zip(*values, strict=True)) if len(lengths) == 1 else values
    items: list[object] = []
    for column in columns:
        if list in set(map(type, column)):
            lists = [value for value in column if type(value) is list]
            if max(map(len, lists)) > MAX_ITEMS:
                return False
            items += chain.from_iterable(lists)
    count = sum(map(len, columns)) + len(items)
    return (
        max(lengths) <= MAX_MEMBERS
        and count <= MAX_VALUES
        and MAX_TEXT_OVERHEAD * count + MAX_CHARACTER * size <= MAX_TEXT_BYTES
        and all(_are_single(column, size, may_be_list=True) for column in columns)
        and _are_single(items, size)
    )


def _are_single(
    values: Collection[object], size: int, *, may_be_list: bool = False
) -> bool:
    """Return whether values of a text of ``size`` bytes are single values, and no text is too long."""
    kinds = set(map(type, values))
    allowed = SCALARS | {list} if may_be_list else SCALARS
    if not kinds <= allowed:
        return False
    # A short body has no long text.
    if size <= MAX_TEXT or str not in kinds:
        return True
    if kinds == {str}:
        return max(map(len, cast("Collection[str]", values))) <= MAX_TEXT
    texts = [value for value in values if type(value) is str]
    return max(map(len, texts)) <= MAX_TEXT


def _checked(elements: Iterator[object] | list[object]) -> list[dict[str, object]]:
    """Return the rows; stop reading at the first that is not a flat object.

    :raises VaultFault: INVALID_DATA for that row.
    """
    rows: list[dict[str, object]] = []
    tally = RowTally()
    for number, element in enumerate(elements, 1):
        if number > MAX_ROWS:
            raise too_many_rows()
        if not isinstance(element, dict):
            raise unreadable(f"row {number} is not a JSON object")
        _check_flat(element, number, tally)
        rows.append(element)
    return rows


def _check_flat(row: dict[str, object], number: int, tally: RowTally) -> None:
    """Check that the values of a row are single values or lists of them, and not too large; count them."""
    if len(row) > MAX_MEMBERS:
        raise _too_large(number, f"has {len(row)} members; at most {MAX_MEMBERS}")
    singles: list[object] = []
    for name, value in row.items():
        if type(value) is not list:
            _check_single(name, value, number)
            singles.append(value)
            continue
        if len(value) > MAX_ITEMS:
            raise _too_large(number, f"[{name[:100]}] has more than {MAX_ITEMS} items")
        for item in value:
            _check_single(name, item, number)
        tally.add(value)
    tally.add(singles)


def _check_single(name: str, value: object, number: int) -> None:
    """Check that a value, or an item of a list, is neither an object nor a list nor a text that is too long."""
    kind = type(value)
    if kind not in SCALARS:
        problem = "is neither a single value nor a list of them"
        raise unreadable(f"row {number}: [{name[:100]}] {problem}")
    if kind is str and len(cast("str", value)) > MAX_TEXT:
        too_long = f"[{name[:100]}] has more than {MAX_TEXT} characters"
        raise _too_large(number, too_long)


def unreadable(reason: str) -> VaultFault:
    """Return the fault of a body that the call cannot read."""
    return VaultFault(ErrorType.INVALID_DATA, f"The body cannot be read: {reason}")


def _too_large(number: int, reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"Row {number}: {reason}")


class RowTally:
    """The numbers of values and of text bytes in the rows so far; a character counts as up to four bytes."""

    def __init__(self) -> None:
        self._values = 0
        self._bytes = 0

    def add(self, values: Collection[object]) -> None:
        """Count the values of a row, or the items of a list.

        :raises VaultFault: INVALID_DATA when there are too many, or their texts are too large together.
        """
        self._values += len(values)
        if self._values > MAX_VALUES:
            raise too_many_values()
        self._bytes += sum(
            sys.getsizeof(value) for value in values if isinstance(value, str)
        )
        if self._bytes > MAX_TEXT_BYTES:
            message = f"The texts of a call take at most {MAX_TEXT_BYTES} bytes in memory; send fewer rows"
            raise VaultFault(ErrorType.INVALID_DATA, message)


def too_many_values() -> VaultFault:
    """Return the fault of a body with too many values."""
    message = f"A body has at most {MAX_VALUES} values"
    return VaultFault(ErrorType.INVALID_DATA, message)
