"""Merges the Case Contacts of accounts that a Vault CRM has merged, and keeps the Links of merged Case Contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.caller import on_behalf_of
from shared.vault.bulk.record_merge import RecordMerge, raise_first
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.named_actions import ActionContext, RecordChanges
    from shared.vault.storage.database import Connection

MERGE = "account_merge__v"
PERSON = "person__sys"
SOURCE_DATA = "case_contact_source_data__v"
LINK = "link__sys"
MAX_CHAIN = 100
"""Merges that one account has been through; more are a circle, which only a mistake makes."""

# The Case Contact of an account's Link: its Source Data names it, or it was made of that account itself.
_CONTACT = """coalesce(
    (SELECT person__v FROM records.case_contact_source_data__v WHERE link__sys = {link}),
    (SELECT id FROM records.person__sys WHERE link__sys = {link}))"""
# The merges, each with the account that is left in the end, whose Case Contacts are known or not.
PAIRS = f"""
WITH RECURSIVE chain (id, link, main, length) AS (
    SELECT id, link__sys, main_link__v, 1 FROM records.account_merge__v WHERE id = ANY($1::text[])
    UNION ALL
    SELECT c.id, c.link, m.main_link__v, c.length + 1
    FROM chain c JOIN records.account_merge__v m ON m.link__sys = c.main AND c.length < {MAX_CHAIN}
), ends AS (SELECT DISTINCT ON (id) * FROM chain ORDER BY id, length DESC)
SELECT id, link, main FROM ends
WHERE link <> main AND length < {MAX_CHAIN}
    AND coalesce({_CONTACT.format(link="link")}, {_CONTACT.format(link="main")}) IS NOT NULL
ORDER BY id
"""  # noqa: S608
# The Case Contacts of two Links as they are now: those of one merge may have been merged by the one before it.
CONTACTS = f"SELECT {_CONTACT.format(link='$1')} AS duplicate, {_CONTACT.format(link='$2')} AS main"
# Source Data of these Links.
TIES = "SELECT id, link__sys, person__v FROM records.case_contact_source_data__v WHERE link__sys = ANY($1::text[])"
NAME = "SELECT name__v FROM records.person__sys WHERE id = $1"
# A contact that still has the Link of the duplicate, unless another one is that of the main account already.
OWNED = """
SELECT id FROM records.person__sys WHERE id = $1 AND link__sys = $2
    AND NOT EXISTS (SELECT FROM records.person__sys WHERE link__sys = $3) FOR UPDATE
"""
# The Links of a contact, the oldest first, and whether no contact has it as its own.
LINKS = """
SELECT link__sys, NOT EXISTS (SELECT FROM records.person__sys p WHERE p.link__sys = d.link__sys) AS free
FROM records.case_contact_source_data__v d WHERE person__v = $1 AND link__sys IS NOT NULL
ORDER BY created_date__v, id
"""


@dataclass(frozen=True, slots=True)
class Ties:
    """The Source Data that connects Links with Case Contacts.

    The Vault, not the connector, writes this Source Data, in the transaction of a merge.
    """

    connection: Connection
    caller: Caller
    registry: Registry
    records: RecordChanges

    async def lead_to(self, contact: str, links: Sequence[str]) -> None:
        """Make Source Data lead from these Links to a Case Contact, and create it for Links without any.

        :raises VaultFault: when a write is refused.
        """
        rows = await self.connection.fetch(TIES, list(links))
        known = {row[LINK] for row in rows}
        elsewhere = [row["id"] for row in rows if row["person__v"] != contact]
        await self.change(SOURCE_DATA, elsewhere, {"person__v": contact})
        missing = [link for link in links if link not in known]
        if not missing:
            return
        name = await self.connection.fetchval(NAME, contact)
        made = [{LINK: link, "name__v": name, "person__v": contact} for link in missing]
        target = self.registry.objects[SOURCE_DATA]
        results = await self.records.upsert_in(
            self.connection,
            self.caller,
            target,
            made,
            LINK,
        )
        raise_first(results, SOURCE_DATA)

    async def change(
        self,
        object_name: str,
        ids: Sequence[str],
        changes: Mapping[str, object],
    ) -> None:
        """Set values on records.

        :raises VaultFault: when a write is refused.
        """
        if not ids:
            return
        target = self.registry.objects[object_name]
        results = await self.records.change_in(
            self.connection,
            self.caller,
            target,
            ids,
            {},
            changes,
        )
        raise_first(results, object_name)


async def merge_case_contacts(context: ActionContext) -> Mapping[str, ApiError]:
    """Merge the Case Contacts of the two accounts of each merge: one remains, with both Links, for the main account.

    It is the entry action of a recorded merge, and may be repeated. Where neither account has a contact nothing
    happens: the connector reads the merge when the first of the accounts is transferred.
    """
    errors: dict[str, ApiError] = {}
    for pair in await context.connection.fetch(PAIRS, list(context.ids)):
        try:
            async with context.connection.transaction():
                await _settle(context, pair["link"], pair["main"])
        except VaultFault as fault:
            errors[pair["id"]] = fault.error
    return errors


async def _settle(context: ActionContext, duplicate: str, main: str) -> None:
    """Leave one Case Contact for two Links, of which at least one has a Case Contact.

    :raises VaultFault: when a write is refused.
    """
    connection = context.connection
    # The merge happened in Vault CRM: whoever brings it here need not be allowed to delete contacts.
    caller = on_behalf_of(context.caller)
    ties = Ties(connection, caller, context.registry, context.records)
    (found,) = await connection.fetch(CONTACTS, duplicate, main)
    contact = found["main"] or found["duplicate"]
    if found["main"] and found["duplicate"] not in (None, contact):
        merge = await RecordMerge.begin(
            connection,
            caller,
            context.registry,
            context.records,
            context.registry.objects[PERSON],
            (found["duplicate"], contact),
        )
        await merge.carry_out()
        await keep_links(merge)
    await ties.lead_to(contact, (duplicate, main))
    owned = await connection.fetchval(OWNED, contact, duplicate, main)
    if owned is not None:
        await ties.change(PERSON, [contact], {LINK: main})


async def keep_links(merge: RecordMerge) -> None:
    """Make the Link of a merged Case Contact lead to the main one.

    If several accounts then lead to a main contact without a Link, it gets the Link of one, and belongs to it.

    :raises VaultFault: when a write is refused.
    """
    caller = on_behalf_of(merge.caller)
    ties = Ties(merge.connection, caller, merge.registry, merge.records)
    contact, link = merge.main["id"], merge.duplicate[LINK]
    if link is not None:
        rows = await merge.connection.fetch(TIES, [link])
        # Source Data that leads elsewhere says that the Link has been another contact's since.
        if all(row["person__v"] is None for row in rows):
            await ties.lead_to(contact, [link])
    if merge.main[LINK] is not None:
        return
    links = await merge.connection.fetch(LINKS, contact)
    free = [row[LINK] for row in links if row["free"]]
    # A contact that people have made may stay without a Link while only one account fills it.
    if len(links) > 1 and free:
        await ties.change(PERSON, [contact], {LINK: free[0]})
