"""The used configuration is never older than the message's, in any order of calls and changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.connector.delivery.destinations import RouteReader
from services.connector.rules.lookups import MAX_CACHED_KEYS
from services.connector.vaults.configuration import Configuration
from services.connector.vaults.configuration_reader import ConfigurationReader
from shared.client.results import LatestRevision
from tests.unit.connector.versioned_vault import (
    Versioned,
    moment,
    no_turn,
    versions,
    words,
)

# What is read.


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("nothing", {}),
        ("lookups", {"query": 1}),
        (
            "target",
            {"configuration": 1, "query": 4, "object_metadata": 1},
        ),
        (
            "source",
            {"configuration": 1, "query": 4, "object_metadata": 1},
        ),
    ],
)
async def test_only_what_has_changed_is_read_again(
    change: str, read: dict[str, int]
) -> None:
    source, target = Versioned(), Versioned()
    reader = ConfigurationReader(source.as_client, target.as_client)
    before = await reader.since(moment())
    target.calls.clear()
    match change:
        case "lookups":
            target.lookup_version += 1
        case "target":
            target.configuration_version += 1
        case "source":
            source.configuration_version += 1
    after = await reader.since(moment())
    calls = target.calls - Counter(keep_alive=1)
    assert calls == Counter(read)
    assert (after is before) == (change == "nothing")


async def test_a_revision_from_a_call_since_the_message_is_not_requested_again() -> (
    None
):
    source, target = Versioned(), Versioned()
    reader = ConfigurationReader(source.as_client, target.as_client)
    await reader.since(moment())
    queued = moment()
    told = source.revision()
    assert told is not None
    source.note_revision(told, queued)
    await target.query("SELECT id FROM case__v")
    source.calls.clear()
    target.calls.clear()
    await reader.since(queued)
    assert not source.calls + target.calls


@pytest.mark.parametrize(
    ("source", "target"), [(False, True), (True, False), (False, False)]
)
async def test_with_a_vault_that_tells_no_revision_everything_is_read_for_each_message(
    source: bool, target: bool
) -> None:
    ends = Versioned(tells=source), Versioned(tells=target)
    reader = ConfigurationReader(*(end.as_client for end in ends))
    known = await reader.since(moment())
    calls = ends[1].calls.copy()
    assert await reader.since(moment()) is known
    # The question is asked once: a Vault that has not told will not tell.
    assert ends[1].calls - calls >= Counter(configuration=1, query=4, object_metadata=1)
    silent = [end for end in ends if not end.tells]
    assert {end.calls["keep_alive"] for end in silent} == {1}


@pytest.mark.parametrize("tells", [True, False])
async def test_one_vault_reads_the_same_configuration_again_and_the_other_does_not(
    tells: bool,
) -> None:
    source, old, new = Versioned(), Versioned(tells=False), Versioned()
    readers = {
        end.tells: ConfigurationReader(source.as_client, end.as_client)
        for end in (old, new)
    }
    await readers[tells].since(moment())
    for end in (old, new):
        end.calls.clear()
    await readers[tells].since(moment())
    assert (new.calls["query"], old.calls["query"]) == ((0, 0) if tells else (0, 4))


@pytest.mark.parametrize("tells", [True, False])
async def test_the_routes_of_a_queue_are_read_again_when_they_may_have_changed(
    tells: bool,
) -> None:
    vault = Versioned(tells=tells)
    routes = RouteReader(vault.as_client, "out__v")
    await routes.fresh.since(moment())
    vault.calls.clear()
    await routes.fresh.since(moment())
    assert vault.calls["query"] == (0 if tells else 1)
    vault.configuration_version += 1
    await routes.fresh.since(moment())
    assert vault.calls["query"] == (1 if tells else 2)


async def test_a_read_that_fails_leaves_nothing_that_counts_as_current() -> None:
    source, target = Versioned(), Versioned()
    reader = ConfigurationReader(source.as_client, target.as_client)
    await reader.since(moment())
    target.configuration_version += 1

    async def away() -> None:
        if target.calls["configuration"] > 1:
            raise ConnectionError

    target.turn = away
    with pytest.raises(ConnectionError):
        await reader.since(moment())
    target.turn = no_turn
    assert versions(await reader.since(moment()))[1] == 1


async def test_a_moment_that_has_not_come_tells_nothing() -> None:
    seen = LatestRevision()
    seen.note("1.1.1", datetime.now(UTC) + timedelta(hours=1))
    assert seen.at(moment()) is None
    began = moment()
    seen.note("2.1.1", began)
    # A message whose clock is behind tells another revision, and nobody knows which is the newer one.
    seen.note("3.1.1", began - timedelta(seconds=1))
    assert seen.at(began - timedelta(hours=1)) is None


@pytest.mark.parametrize("told", ["", "7", ".7", "1" * 101 + ".1"])
def test_a_header_that_is_no_revision_is_none(told: str) -> None:
    seen = LatestRevision()
    seen.note(told, moment())
    assert (seen.count, seen.at(datetime(2020, 1, 1, tzinfo=UTC))) == (0, None)


# Many lookups.


async def looked_up(configuration: Configuration, *keys: str) -> None:
    """Look up the keys of rows, as an evaluation does."""
    assert configuration.lookup_reader is not None
    await configuration.lookup_reader.read([(words(configuration), keys)])


async def test_many_lookups_are_read_by_key_once_for_each_revision() -> None:
    source, target = Versioned(), Versioned(lookups=50_000)
    reader = ConfigurationReader(source.as_client, target.as_client)
    known = await reader.since(moment())
    target.asked.clear()
    await looked_up(known, "k1", "k49999", "none")
    await looked_up(known, "k1", "none")
    assert len(target.asked) == 1
    assert words(known).entries == {"k1": "v0", "k49999": "v0"}
    target.lookup_version += 1
    target.asked.clear()
    changed = await reader.since(moment())
    await looked_up(changed, "k1")
    # One page, which shows that they are still too many, and the key.
    assert len(target.asked) == 2
    assert words(changed).entries == {"k1": "v1"}
    target.lookups = 2
    target.lookup_version += 1
    fewer = await reader.since(moment())
    assert (fewer.lookup_reader, len(words(fewer).entries)) == (None, 2)


async def test_the_keys_that_are_kept_are_bounded_and_those_of_the_unit_stay() -> None:
    source, target = Versioned(), Versioned(lookups=12_000)
    known = await ConfigurationReader(source.as_client, target.as_client).since(
        moment()
    )
    entries = words(known).entries
    for start in range(0, 12_000, 500):
        keys = [f"k{number}" for number in range(start, start + 500)]
        await looked_up(known, *keys)
        assert entries.keys() >= set(keys)
        assert len(entries) <= MAX_CACHED_KEYS


async def test_a_check_of_rules_reads_all_lookups_however_many() -> None:
    source, target = Versioned(), Versioned(lookups=2_500)
    known = await ConfigurationReader(source.as_client, target.as_client).since(
        moment()
    )
    whole = await known.with_all_lookups()
    assert len(words(whole).entries) == 2_500
    assert not words(known).entries


# Whatever comes in between.


class Steps:
    """Calls that wait for their turn, and continue in the order of a tape."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def turn(self) -> None:
        """Wait for this call's turn on the tape."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    async def go_on(self, choice: int) -> None:
        """Let one of the waiting calls make one step."""
        if self._waiting:
            self._waiting.pop(choice % len(self._waiting)).set_result(None)
        for _ in range(8):
            await asyncio.sleep(0)


@dataclass
class Sent:
    """A message: the versions when it was sent, and the configuration that it is processed with."""

    versions: tuple[int, int, int]
    task: asyncio.Task[Configuration]


@dataclass
class Traffic:
    """Two Vaults that change while messages between them are processed."""

    source: Versioned
    target: Versioned
    reader: ConfigurationReader
    sent: list[Sent] = field(default_factory=list)

    def change(self, part: str) -> None:
        """Change the configuration of a Vault, or the lookups of the target Vault."""
        match part:
            case "source":
                self.source.configuration_version += 1
            case "target":
                self.target.configuration_version += 1
            case "lookups":
                self.target.lookup_version += 1

    def send(self, *, told: bool) -> None:
        """Send a message, with or without the revision of its Vault."""
        now = (
            self.source.configuration_version,
            self.target.configuration_version,
            self.target.lookup_version,
        )
        queued = moment()
        revision = self.source.revision()
        if told and revision is not None:
            self.source.note_revision(revision, queued)
        task = asyncio.create_task(self._processed(queued))
        self.sent.append(Sent(now, task))

    async def settle(self, steps: Steps) -> None:
        """Let all calls continue until each message has its configuration."""
        while not all(message.task.done() for message in self.sent):
            await steps.go_on(0)

    async def _processed(self, queued: datetime) -> Configuration:
        configuration = await self.reader.since(queued)
        if configuration.lookup_reader is not None:
            await looked_up(configuration, "k0")
        return configuration


ROUNDS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), max_size=45),
        st.sampled_from(["source", "target", "lookups"]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)
"""Steps of the calls that are under way, what changes then, and whether messages tell a revision, and calls end."""


@given(ROUNDS, st.booleans(), st.booleans(), st.sampled_from([1, 1_500]))
@settings(max_examples=60, deadline=None)
async def test_no_message_is_processed_with_an_older_configuration(
    rounds: list[tuple[list[int], str, bool, bool]],
    source_tells: bool,
    target_tells: bool,
    many: int,
) -> None:
    steps = Steps()
    source = Versioned(tells=source_tells, turn=steps.turn)
    target = Versioned(tells=target_tells, turn=steps.turn, lookups=many)
    reader = ConfigurationReader(source.as_client, target.as_client)
    traffic = Traffic(source, target, reader)
    for choices, part, told, settled in rounds:
        traffic.send(told=told)
        for choice in choices:
            await steps.go_on(choice)
        traffic.change(part)
        if settled:
            await traffic.settle(steps)
        traffic.send(told=told)
    await traffic.settle(steps)
    for message in traffic.sent:
        used = versions(await message.task)
        assert all(a >= b for a, b in zip(used, message.versions, strict=True))
