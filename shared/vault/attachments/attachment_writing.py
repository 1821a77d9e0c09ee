"""Changes of attachments within a transaction that has locked their records, with the audit of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.vault.audit import audit_entries as entries
from shared.vault.files import attachment_table as table
from shared.vault.files.attachment_model import Addition, Attachment, Step, plan, told

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

FIELD = "attachments"  # of the record, on the audit trail

Change = tuple[str, str | None, str | None]
"""Id of a record; a version of an attachment of it as it was, and as it is."""


class AttachmentWriter:
    """Writes attachments of one object's records, for one caller."""

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        caller: Caller,
        object_name: str,
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._caller = caller
        self._object_name = object_name

    async def add(self, additions: Sequence[Addition]) -> list[Step]:
        """Attach files to records; what came of each, in their order."""
        known = await table.known_to(self._connection, self._object_name, additions)
        ids = await table.new_ids(self._connection, len(additions))
        steps = plan(additions, known, ids)
        added = [step for step in steps if step.added]
        await table.put(self._connection, self._caller, self._object_name, added)
        await self._audit([_change(step) for step in added])
        return steps

    async def taken_external_ids(self, additions: Sequence[Addition]) -> set[int]:
        """Places of additions whose external id another attachment has, or one that comes before them."""
        ids = list({each.external_id for each in additions if each.external_id})
        found = await table.by_external_id(self._connection, self._object_name, ids)
        holders = {
            each.external_id: (each.record_id, each.filename) for each in found.values()
        }
        taken: set[int] = set()
        for at, each in enumerate(additions):
            own = (each.record_id, each.filename)
            if each.external_id and holders.setdefault(each.external_id, own) != own:
                taken.add(at)
        return taken

    async def describe(
        self, described: Sequence[tuple[Attachment, str | None]]
    ) -> None:
        """Give the latest versions of attachments new descriptions."""
        await table.describe(self._connection, described)
        await self._audit(
            [
                (
                    each.record_id,
                    each.told(each.latest),
                    told(each.filename, each.latest.number, description),
                )
                for each, description in described
            ]
        )

    async def remove(self, attachments: Sequence[Attachment]) -> None:
        """Delete attachments with all their versions."""
        await table.remove(self._connection, [each.id for each in attachments])
        await self._audit(
            [
                (each.record_id, each.told(v), None)
                for each in attachments
                for v in each.versions
            ]
        )

    async def remove_version(self, attachment: Attachment, number: int) -> None:
        """Delete one version; the attachment goes with the last one."""
        version = attachment.version(number)
        if len(attachment.versions) == 1:
            await self.remove([attachment])
            return
        await table.remove_version(self._connection, attachment.id, number)
        await self._audit([(attachment.record_id, attachment.told(version), None)])

    async def _audit(self, changes: Sequence[Change]) -> None:
        edits = [
            ({"id": record_id, FIELD: before}, {FIELD: after})
            for record_id, before, after in changes
        ]
        await entries.edited(
            self._connection, self._registry, self._caller, self._object_name, edits
        )


def _change(step: Step) -> Change:
    return (
        step.after.record_id,
        step.before.told if step.before else None,
        step.after.told,
    )
