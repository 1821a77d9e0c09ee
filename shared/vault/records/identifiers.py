"""Record ids: three characters of the object's prefix and twelve of a number, handed out in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection

USER = "user__sys"  # its ids are numbers, as created_by__v and the user calls of the API want them

BLOCK = 1000
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WIDTH = 12


def record_id(prefix: str, number: int) -> str:
    """The id of record ``number``, for example ``V4T000000000RS``; ids of one process sort by age."""
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(DIGITS[digit])
    return prefix + "".join(reversed(digits)).rjust(WIDTH, "0")


class IdAllocator:
    """Hands out ids without a round trip each; a restart leaves at most one block unused."""

    def __init__(self) -> None:
        self._next = 0
        self._end = 0

    async def take(
        self, connection: Connection, target: VaultObject, count: int
    ) -> list[str]:
        """``count`` ids never given before, by any process on this database."""
        if target.name == USER:
            rows = await connection.fetch(
                "SELECT nextval('platform.user_id') FROM generate_series(1, $1)", count
            )
            return [str(row[0]) for row in rows]
        ids: list[str] = []
        while len(ids) < count:
            if self._next == self._end:
                block = await connection.fetchval(
                    "SELECT nextval('platform.record_id_block')"
                )
                self._next, self._end = block * BLOCK, (block + 1) * BLOCK
            size = min(self._end - self._next, count - len(ids))
            first, self._next = self._next, self._next + size
            ids.extend(
                record_id(target.prefix, number)
                for number in range(first, first + size)
            )
        return ids
