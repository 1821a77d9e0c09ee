"""The CSV file of a list: written in slices, between which others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from shared.vault.admin.list_download import SLICE_ROWS, written


async def test_others_go_on_after_each_slice() -> None:
    rows_at_a_look: list[int] = []
    taken = 0

    def rows() -> Iterator[list[int]]:
        nonlocal taken
        for taken in range(1, 10 * SLICE_ROWS + 1):
            yield [taken]

    async def look() -> None:
        while True:
            rows_at_a_look.append(taken)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await written(rows())
    looking.cancel()
    slices = [SLICE_ROWS * number for number in range(1, 11)]
    assert set(slices) <= set(rows_at_a_look)


@pytest.mark.parametrize("number", [0, 1, SLICE_ROWS, SLICE_ROWS + 1])
async def test_all_rows_are_written_in_their_order(number: int) -> None:
    lines = (await written([row] for row in range(number))).splitlines()
    assert lines == [str(row) for row in range(number)]
