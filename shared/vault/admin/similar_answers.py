"""Finds earlier answers to questions that are similar to a record's question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.vault.admin.listing import listed
from shared.vault.admin.showing import record_path
from shared.vault.vql import literal
from shared.vault.vql.phrase import MAX_PHRASE

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import Answered

SHOWN = 5
MAX_WORDS = 12
# Shorter words, in most languages, say little of what a question is about.
MIN_LETTERS = 4
QUESTION_WORD = re.compile(r"\w+")
ANY_WORD = " OR "
EXCERPT = 2_000  # characters of a question that words are taken from


@dataclass(frozen=True, slots=True)
class SimilarAnswer:
    """A question that was answered, with the page of its record."""

    name: str
    path: str
    question: str
    answer: str
    date: str


async def similar_answers(
    context: PageContext, object_name: str, record: Mapping[str, Any]
) -> list[SimilarAnswer]:
    """Return answers to questions that share words with a record's question, the most similar first.

    If there are such answers about the same record, as ``Answered.same`` says, only they are returned.
    """
    answered = context.vault.definition.answered
    if answered is None or answered.object != object_name:
        return []
    words = question_words(str(record.get(answered.question) or ""))
    # Fields of the standard configuration may have been dropped.
    fields = context.registry.objects[object_name].fields
    needed = (answered.question, answered.answer, answered.date, answered.same)
    if not words or any(name not in fields for name in needed):
        return []
    about = record.get(answered.same)
    same = f" AND {answered.same} = {literal(str(about))}" if about else ""
    found = await _found(context, answered, words, record, same)
    return (
        found if found or not same else await _found(context, answered, words, record)
    )


async def _found(
    context: PageContext,
    answered: Answered,
    words: list[str],
    record: Mapping[str, Any],
    same: str = "",
) -> list[SimilarAnswer]:
    """Return answers to other records' questions with any of the words; ``same`` is a further VQL condition."""
    question, answer, date = answered.question, answered.answer, answered.date
    texts = [f"LONGTEXT({name}) AS {name}" for name in (question, answer)]
    columns = ", ".join(["id", "name__v", date, *texts])
    phrase = ANY_WORD.join(words)
    search = f"FIND ('{phrase}' SCOPE {question})"
    others = f"id != {literal(str(record['id']))} AND {answered.condition}{same}"
    statement = f"SELECT {columns} FROM {answered.object} {search} WHERE {others}"
    page = await listed(context, statement, size=SHOWN, counted=False)
    return [
        SimilarAnswer(
            str(row["name__v"]),
            record_path(answered.object, str(row["id"])),
            str(row[question] or ""),
            str(row[answer] or ""),
            str(row[date] or ""),
        )
        for row in page.rows
    ]


def question_words(question: str) -> list[str]:
    """Return the words of a question by which similar questions are found, the longest first."""
    words = QUESTION_WORD.findall(question[:EXCERPT].lower())
    telling = {word for word in words if len(word) >= MIN_LETTERS}
    # Words of one length are sorted by the alphabet, so that a question always finds the same answers.
    longest_first = sorted(telling, key=lambda word: (-len(word), word))
    chosen: list[str] = []
    for word in longest_first:
        # Without the words that are too long for the phrase: shorter ones may find something.
        if len(ANY_WORD.join([*chosen, word])) <= MAX_PHRASE:
            chosen.append(word)
    return chosen[:MAX_WORDS]
