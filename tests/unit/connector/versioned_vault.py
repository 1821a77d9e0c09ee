"""Two ends of a connection whose configuration is a growing number, and which answer in steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from services.connector.rules.lookups import LookupSet
from services.connector.vaults.configuration import Configuration
from shared.client.client import VaultClient
from shared.client.query_calls import QueryCalls
from shared.client.results import LatestRevision, QueryResult, Row
from shared.client.transport import Request
from tests.unit.connector.examples import field as vault_field
from tests.unit.connector.examples import rule_json

Turn = Callable[[], Any]
LOOKUP = {
    "connection__sys": "C1",
    "reference_lookup_name__sys": "words__c",
    "reference_lookup_type__sys": "generic__sys",
}
PAGE = 1000


def moment() -> datetime:
    """The time, later than the last returned one: two events of one microsecond have no order."""
    before = datetime.now(UTC)
    while (now := datetime.now(UTC)) == before:
        pass
    return now


async def no_turn() -> None:
    """Let no other call run in between."""


@dataclass
class Versioned(QueryCalls):
    """A Vault whose configuration is growing numbers, and which answers in steps, between which other calls run.

    It reads its revision when a call begins, as a Vault does; the rest of the answer may be younger.
    """

    tells: bool = True
    turn: Turn = no_turn
    configuration_version: int = 0
    lookup_version: int = 0
    lookups: int = 1
    calls: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._transport = cast("Any", SimpleNamespace(revision=LatestRevision()))

    @property
    def as_client(self) -> VaultClient:
        """The same, to where a VaultClient is wanted."""
        return cast("VaultClient", self)

    def revision(self) -> str | None:
        """The revision in an answer or a message now."""
        told = f"{self.configuration_version}.1.{self.lookup_version}"
        return told if self.tells else None

    async def _answered(self, call: str, read: Callable[[], Any]) -> Any:
        self.calls[call] += 1
        began = moment()
        await self.turn()
        told = self.revision()
        await self.turn()
        answer = read()
        await self.turn()
        self._transport.revision.note(told, began)
        return answer

    async def _call(self, request: Request) -> Row:
        return cast("Row", await self._answered(request.call, dict))

    async def configuration(self, component_type: str) -> list[Row]:
        """One rule, or one queue, of the connection whose remote name is the version."""
        part = {
            **vault_field("question__v"),
            "target_object": "Object.case_request__v",
            "target_object_field": "Field.question__v",
            "query_object": "medical_inquiry__v",
            "query_field": "inquiry_text__v",
            "reference_lookup": "words__c",
            "reference_lookup_type": "generic",
        }
        found = {
            "Integrationrule": lambda: [rule_json(part)],
            "Queue": lambda: [
                {
                    "name": "out__v",
                    "Queueconnection": [{"connection_name": "medical_crm__v"}],
                }
            ],
        }
        read = await self._answered("configuration", found[component_type])
        return cast("list[Row]", read)

    async def object_metadata(self, object: str) -> Row:
        """An object with one field, named by the version."""
        names = ("question__v", self._name())
        read = await self._answered(
            "object_metadata",
            lambda: {
                "name": object,
                "fields": [vault_field(name) for name in (*names, self._name())],
            },
        )
        return cast("Row", read)

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """The rows of a platform object; those of lookups lead to the version."""
        del describe
        self.asked.append(vql)
        _, _, rest = vql.partition(" FROM ")
        name, *_ = rest.split()
        read = await self._answered("query", lambda: self._rows(name, vql))
        return QueryResult(read, None)

    def _name(self) -> str:
        return f"v{self.configuration_version}__c"

    def _rows(self, name: str, vql: str) -> list[Row]:
        match name:
            case "connection__sys":
                return [
                    {
                        "id": "C1",
                        "api_name__sys": "medical_crm__v",
                        "remote_connection__sys": self._name(),
                        "remote_vault_id__sys": "1",
                    }
                ]
            case "reference_lookup__sys":
                keys = (f"k{number}" for number in range(self.lookups))
                wanted = [k for k in keys if "CONTAINS" not in vql or f"'{k}'" in vql]
                limit = PAGE if "MAXROWS" in vql else len(wanted)
                target = f"v{self.lookup_version}"
                return [
                    {**LOOKUP, "source_key__sys": k, "target_key__sys": target}
                    for k in wanted[:limit]
                ]
            case _:
                return []


def versions(configuration: Configuration) -> tuple[int, int, int]:
    """Versions of the source's objects, of the target's connections, and of the target's lookups."""
    (source,) = configuration.sources.values()
    (connection,) = configuration.connections.values()
    entries = words(configuration).entries
    return (
        max(_number(name) for name in source.fields),
        _number(connection.remote_name),
        min(_number(target) for target in entries.values()),
    )


def _number(name: str) -> int:
    digits = "".join(filter(str.isdigit, name))
    return int(digits or 0)


def words(configuration: Configuration) -> LookupSet:
    """The set that the rule names."""
    return configuration.lookups["C1"]["generic", "words__c"]
