"""Divides rows of an upsert into turns without repeated keys, so that later rows update what earlier ones store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation


def in_turns(rows: Sequence[Mapping[str, object]], key: str) -> list[list[int]]:
    """Return the places of the rows by turn: the first rows of all keys, then the second ones, and so on."""
    turns: list[list[int]] = []
    repeats: Counter[object] = Counter()
    for place, row in enumerate(rows):
        value = _alike(row.get(key))
        turn = repeats[value]
        if turn == len(turns):
            turns.append([])
        turns[turn].append(place)
        # Rows without a key fail, whatever their turn.
        repeats[value] += value != ""
    return turns


def _alike(value: object) -> object:
    """Return one value for all texts that may be the same key; two keys that share one only wait for each other."""
    text = "" if value is None else str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    # Not-a-number is not equal to itself.
    return number.normalize() if number.is_finite() else text
