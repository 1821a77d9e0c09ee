"""Expectations of a rehearsal are checked until met or out of time, and always have an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from medcrm.expectations import Answer, answer_within
from shared.client import VaultClient

HOLDS, FAILS = Answer(None, ("1 equal",)), Answer("1 finding", ("1 missing",))
LONG = 3600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """An expectation with these answers in order, and none after the last."""

    answers: list[Answer]
    title: str = "Something"
    pause_seconds: float = 0.0
    never: asyncio.Event = field(default_factory=asyncio.Event)
    asked_of: set[VaultClient] = field(default_factory=set)

    async def answer(self, client: VaultClient) -> Answer:
        self.asked_of.add(client)
        if not self.answers:
            await self.never.wait()
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "seconds", "last"),
    [
        ([HOLDS], 0, HOLDS),
        ([FAILS, HOLDS], LONG, HOLDS),
        ([FAILS, HOLDS], 0, FAILS),
        ([], 0, Answer("there is no answer within 0 s")),
    ],
    ids=["holds", "holds in the end", "does not hold", "no answer"],
)
async def test_the_last_answer(
    answers: list[Answer], seconds: float, last: Answer
) -> None:
    client = VaultClient("http://127.0.0.1:9", "user", "password", client_id="tests")
    asked = Asked(list(answers))
    assert await answer_within(client, asked, seconds) == last
    assert asked.asked_of == {client}
