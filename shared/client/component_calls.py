"""Makes the calls about what a Vault is configured with: metadata, components, MDL, and its revision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from shared.client.results import Row, mapping, rows_of
from shared.client.transport import API, Request, SignedInCalls, path_part

# Of the calls that are answered in a session, the one that does least.
_ASK = Request("keep_alive", "POST", f"{API}/keep-alive", repeatable=True)


class ComponentCalls(SignedInCalls):
    """Calls about the metadata and components of one Vault."""

    async def revision_since(self, moment: datetime) -> Revision | None:
        """Return the revision of the configuration at ``moment`` or later; None of a Vault that tells none.

        Calls that began since then have told it already, whatever they were about; else one more is made.
        """
        seen = self._transport.seen
        known = seen.at(moment)
        if known is None and not seen.silent:
            count = seen.count
            await self._call(_ASK)
            seen.silent = seen.count == count
            known = seen.at(moment)
        return known

    def note_revision(self, told: str, moment: datetime) -> None:
        """Note the revision that a message of this Vault has brought, which was queued at ``moment``."""
        self._transport.seen.note(told, moment)

    async def objects(self) -> list[Row]:
        """Return the objects of the Vault, each with its ``name`` and ``label``."""
        request = Request("objects", "GET", f"{API}/metadata/vobjects")
        answer = await self._call(request)
        return rows_of(answer.get("objects"), "objects")

    async def object_metadata(self, object: str) -> Row:
        """Return an object's definition with its fields and relationships."""
        path = f"{API}/metadata/vobjects/{path_part(object)}"
        request = Request("object_metadata", "GET", path)
        answer = await self._call(request)
        return mapping(answer.get("object"), "object")

    async def document_metadata(self) -> Row:
        """Return the metadata of documents, their fields as ``properties``."""
        path = f"{API}/metadata/objects/documents/properties"
        request = Request("document_metadata", "GET", path)
        answer = await self._call(request)
        return {"properties": rows_of(answer.get("properties"), "properties")}

    async def configuration(self, component_type: str) -> list[Row]:
        """Return all components of a type, for example ``Integrationrule``, with their sub-components."""
        path = f"{API}/configuration/{path_part(component_type)}"
        request = Request("configuration", "GET", path)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def component_types(self) -> list[Row]:
        """Return the component types that the Vault knows: ``name``, ``class``, ``label``."""
        path = f"{API}/metadata/components"
        request = Request("component_types", "GET", path)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def component_mdl(self, name: str) -> str:
        """Return the component ``Type.name`` as MDL text."""
        path = f"/api/mdl/components/{path_part(name)}"
        request = Request("component_mdl", "GET", path)
        return await self._call_for_text(request)

    async def execute_mdl(self, text: str) -> Row:
        """Run an MDL script and return the whole answer, with a result a statement."""
        # The addresses of MDL carry no version of the API.
        request = Request("execute_mdl", "POST", "/api/mdl/execute", text=text)
        return await self._call(request)


# A revision is compared and kept, never shown; what is longer is none of a Vault's.
MAX_LENGTH = 100
ANY_MOMENT = datetime.min.replace(tzinfo=UTC)


class Revision(NamedTuple):
    """What a Vault's configuration and its reference lookups are known by; equal texts mean that nothing changed."""

    configuration: str
    lookups: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """A revision that is not older than the configuration was at the moment ``since``."""

    revision: Revision
    since: datetime


class SeenRevision:
    """The revision of one Vault's configuration, as the call or message that began last has told it.

    ``count`` is the number of answers and messages that have told one. ``silent`` says that an answer to the question
    told none: the Vault is one that counts no changes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.silent = False
        self._seen: _Seen | None = None

    def note(self, told: str | None, began: datetime) -> None:
        """Note what an answer has told whose call began at ``began``, or a message that was queued then."""
        revision = read_revision(told)
        if revision is None:
            return
        self.count += 1
        self.silent = False
        # The clock of a queue may be ahead: of a moment that has not come, nothing is known.
        if began > datetime.now(UTC):
            return
        seen = self._seen
        if seen is None or began >= seen.since:
            self._seen = _Seen(revision, began)
        elif revision != seen.revision:
            # Which of the two is the newer one cannot be told by clocks that differ: the Vault is asked.
            self._seen = None

    def at(self, moment: datetime) -> Revision | None:
        """Return the revision at ``moment`` or later; None when nothing is known of it."""
        seen = self._seen
        known = seen is not None and seen.since >= moment
        return seen.revision if seen is not None and known else None


def read_revision(told: str | None) -> Revision | None:
    """Return the revision in a header; None without one."""
    if told is None or len(told) > MAX_LENGTH:
        return None
    # The count of the lookups comes last.
    configuration, _, lookups = told.rpartition(".")
    return Revision(configuration, lookups) if configuration else None
