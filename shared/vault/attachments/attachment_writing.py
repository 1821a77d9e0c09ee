"""Changes attachments within a transaction that has locked their records, with the audit of each change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.vault.audit import audit_entries as entries
from shared.vault.files import attachment_table as table
from shared.vault.files.attachment_model import (
    Addition,
    Attachment,
    Step,
    audit_text,
    plan,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

FIELD = "attachments"  # of the record, on the audit trail

Change = tuple[str, str | None, str | None]
"""The id of a record, and the texts of a version of its attachment before and after a change."""


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
        """Attach files to records, and return the step of each addition, in their order."""
        known = await table.attachments_changed_by(
            self._connection, self._object_name, additions
        )
        ids = await table.new_ids(self._connection, len(additions))
        steps = plan(additions, known, ids)
        added = [step for step in steps if step.added]
        await table.put(self._connection, self._caller, self._object_name, added)
        changes = [_change(step) for step in added]
        await self.audit(changes)
        return steps

    async def taken_external_ids(self, additions: Sequence[Addition]) -> set[int]:
        """Return the indexes of additions whose external id a stored attachment or an earlier addition has."""
        ids = list({each.external_id for each in additions if each.external_id})
        found = await table.by_external_id(self._connection, self._object_name, ids)
        holders = {
            each.external_id: (each.record_id, each.filename) for each in found.values()
        }
        taken: set[int] = set()
        for at, each in enumerate(additions):
            if not each.external_id:
                continue
            # An attachment keeps its external id when it gets a new version.
            own = (each.record_id, each.filename)
            holder = holders.setdefault(each.external_id, own)
            if holder != own:
                taken.add(at)
        return taken

    async def describe(
        self, described: Sequence[tuple[Attachment, str | None]]
    ) -> None:
        """Change the descriptions of the latest versions of attachments."""
        await table.describe(self._connection, described)
        changes: list[Change] = []
        for each, description in described:
            before = each.audit_text(each.latest)
            after = audit_text(each.filename, each.latest.number, description)
            changes.append((each.record_id, before, after))
        await self.audit(changes)

    async def remove(self, attachments: Sequence[Attachment]) -> None:
        """Delete attachments with all their versions."""
        ids = [each.id for each in attachments]
        await table.remove(self._connection, ids)
        changes = [
            (each.record_id, each.audit_text(version), None)
            for each in attachments
            for version in each.versions
        ]
        await self.audit(changes)

    async def remove_version(
        self,
        attachment: Attachment,
        number: int,
    ) -> None:
        """Delete one version; delete the attachment when it was the only one.

        :raises VaultFault: INVALID_DATA when the attachment has no such version.
        """
        version = attachment.version(number)
        if len(attachment.versions) == 1:
            await self.remove([attachment])
            return
        await table.remove_version(self._connection, attachment.id, number)
        change = (attachment.record_id, attachment.audit_text(version), None)
        await self.audit([change])

    async def audit(self, changes: Sequence[Change]) -> None:
        """Write the audit entries of changes, each as an edit of its record."""
        edits = [
            ({"id": record_id, FIELD: before}, {FIELD: after})
            for record_id, before, after in changes
        ]
        await entries.write_edits(
            self._connection,
            self._registry,
            self._caller,
            self._object_name,
            edits,
        )


def _change(step: Step) -> Change:
    """Return the change that a step makes for the audit trail: record id, text before, text after."""
    before = None if step.before is None else step.before.audit_text
    return step.after.record_id, before, step.after.audit_text
