"""Creating rows with entry actions: which rows fail, and which are retried without them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from shared.protocol.error_types import ErrorType
from shared.vault.components.registry import Registry
from shared.vault.errors import ApiError
from shared.vault.model.component_model import EntryAction, VaultObject
from shared.vault.records.named_actions import (
    ActionContext,
    ActionHandler,
    NamedActions,
)
from shared.vault.records.record_writes import create_rows
from shared.vault.records.rows import (
    NORMAL,
    Accepted,
    NewRow,
    Outcome,
    ResolvedRow,
    WriteMode,
)
from tests.unit.records.shapes import LIFE, REGISTRY, THING

REFUSED = ApiError(ErrorType.OPERATION_NOT_ALLOWED, "refused")
TAKEN = ApiError(ErrorType.OPERATION_NOT_ALLOWED, "taken")
NEW = replace(LIFE.states["new__c"], entry_actions=(EntryAction("first__c", "handle"),))
WITH_ACTION = replace(
    REGISTRY,
    lifecycles={LIFE.name: replace(LIFE, states={**LIFE.states, "new__c": NEW})},
)
RAW = replace(THING, name="raw__c", raw=True, lifecycle=None)


@dataclass
class Inserts:
    """A batch that stores names in memory, and removes them at a rollback."""

    registry: Registry = WITH_ACTION
    object: VaultObject = THING
    mode: WriteMode = NORMAL
    caller: Any = None
    stored: list[str] = field(default_factory=list)
    attempts: list[list[str]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def connection(self) -> Inserts:
        return self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        before = list(self.stored)
        try:
            yield
        except BaseException:
            self.stored = before
            raise

    async def insert(self, rows: Sequence[ResolvedRow], key: None) -> list[Outcome]:
        del key
        self.attempts.append([str(row.values["name__v"]) for row in rows])
        outcomes: list[Outcome] = []
        for row in rows:
            new = NewRow.of(row)
            name = str(row.values["name__v"])
            if name == "taken":
                new.errors.append(TAKEN)
                outcomes.append(new.refused())
                continue
            new.values["id"] = f"{name}-{next(self.numbers)}"
            self.stored.append(name)
            outcomes.append(new.created())
        return outcomes


def rows(*names: str) -> list[ResolvedRow]:
    return [
        ResolvedRow(index=index, values={"name__v": name})
        for index, name in enumerate(names)
    ]


async def create(batch: Inserts, *names: str, handler: ActionHandler) -> list[Outcome]:
    records: Any = None
    made: Any = batch
    actions = NamedActions({"handle": handler})
    return await create_rows(made, rows(*names), None, actions, records)


async def agree(context: ActionContext) -> Mapping[str, ApiError]:
    return {}


async def refuse_bad(context: ActionContext) -> Mapping[str, ApiError]:
    return {each: REFUSED for each in context.ids if each.startswith("bad")}


async def test_a_row_that_an_entry_action_refuses_fails_alone() -> None:
    batch = Inserts()

    good, bad, best = await create(batch, "good", "bad", "best", handler=refuse_bad)

    assert (isinstance(good, Accepted), isinstance(best, Accepted)) == (True, True)
    assert bad.errors == (REFUSED,)
    assert bad.id is None
    assert batch.stored == ["good", "best"]
    assert batch.attempts == [["good", "bad", "best"], ["good", "best"]]


async def test_rows_that_no_action_refuses_are_created_at_once() -> None:
    batch = Inserts()

    await create(batch, "one", "two", handler=agree)

    assert batch.attempts == [["one", "two"]]


async def test_a_row_that_breaks_a_unique_field_is_not_tried_again() -> None:
    batch = Inserts()

    taken, _, _ = await create(batch, "taken", "bad", "good", handler=refuse_bad)

    assert taken.errors == (TAKEN,)
    assert batch.attempts == [["taken", "bad", "good"], ["good"]]


async def test_a_row_with_errors_is_refused_unseen() -> None:
    batch: Any = Inserts()
    (row,) = rows("one")
    row.errors.append(TAKEN)
    nothing: Any = None

    (outcome,) = await create_rows(batch, [row], None, nothing, nothing)

    assert outcome.errors == (TAKEN,)
    assert batch.attempts == []


async def test_migration_runs_no_entry_actions() -> None:
    batch = Inserts(mode=WriteMode(migration=True))

    (outcome,) = await create(batch, "bad", handler=refuse_bad)

    assert isinstance(outcome, Accepted)


async def test_rows_of_a_raw_object_are_created_together_or_not_at_all() -> None:
    batch = Inserts(object=RAW)

    good, taken = await create(batch, "good", "taken", handler=agree)

    assert [error.message for error in good.errors] == [
        "Another row of the call breaks a unique field"
    ]
    assert taken.errors == (TAKEN,)
    assert batch.stored == []


async def test_rows_of_a_raw_object_without_conflict_are_created() -> None:
    batch = Inserts(object=RAW)

    await create(batch, "one", "two", handler=agree)

    assert batch.stored == ["one", "two"]
