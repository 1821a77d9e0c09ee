"""Creates response packages from Case Responses and their documents, and revokes them, as named actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.access.permissions import Operation, require
from shared.vault.audit import audit_entries as entries
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.components.document_model import STEADY
from shared.vault.errors import ApiError, VaultFault
from shared.vault.fulfillment.fulfillment_model import (
    DOCUMENT,
    EXPIRES,
    LINK,
    MAX_DOCUMENTS,
    PATH,
    REQUEST,
    RESPONSE,
    new_token,
    served_versions,
    token_digest,
    versions_of,
)
from shared.vault.model.field_types import DOCUMENTS, table
from shared.vault.records.named_actions import ActionContext, RowsRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

DAYS = 30
"""How long a link is open when nobody says otherwise."""
RETURN = "return_to_crm"
"""The entry action of a Case Request's states that returns the request to its CRM."""
FILE_COLUMNS = ("filename", "format", "sha256")

Step = Callable[[ActionContext, str], Awaitable[None]]
"""A step for one record, of which it takes the id."""

# The documents that were chosen for a response, in their order, each once.
CHOSEN = f"""SELECT name__v, document_id__v::bigint AS document_id, version_number__v AS number
FROM {table(DOCUMENT)} WHERE case_response__v = $1 ORDER BY order__v, id LIMIT {MAX_DOCUMENTS + 1}"""
RESPONSE_NOW = f"""SELECT r.case_request__v AS request, r.cover_letter__v AS letter, r.{EXPIRES} AS expires,
    r.{LINK} AS link, q.name__v AS title, q.state__v AS state, q.{LINK} AS shown
FROM {table(RESPONSE)} r JOIN {table(REQUEST)} q ON q.id = r.case_request__v WHERE r.id = $1"""
# What people are to look at comes before the file that it was made of.
FILES = """SELECT DISTINCT ON (f.version_id) f.version_id, f.filename, f.format, f.sha256
FROM platform.document_file f WHERE f.version_id = ANY($1::text[]) AND f.rendition IN ('viewable_rendition__v', '')
ORDER BY f.version_id, f.rendition DESC"""
ADD = """INSERT INTO platform.response_package
    (response_id, token_digest, title, cover_letter, made_by, expires_date)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id"""
ADD_FILES = """INSERT INTO platform.response_package_file
    (package_id, position, document_id, version_id, name, filename, format, sha256)
SELECT $1, u.* FROM unnest($2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) AS u"""
REVOKE = """UPDATE platform.response_package SET revoked_date = now()
WHERE response_id = $1 AND revoked_date IS NULL RETURNING id"""


@dataclass(frozen=True, slots=True)
class ChosenDocument:
    """A document of a response: the version that was chosen, and its file."""

    name: str
    document_id: int
    version_id: str
    file: Record


class PackageMaking:
    """Creates and revokes packages.

    ``url`` is this Vault's address, ``most_days`` the longest duration of a link in days; ``repeat`` runs the entry
    actions with a name once more, for records in the state that they are in.
    """

    def __init__(self, url: str, most_days: int, repeat: Step) -> None:
        self._url = url
        self._most_days = most_days
        self._repeat = repeat

    async def make(self, context: ActionContext) -> Mapping[str, ApiError]:
        """Make a package of each response, and write its link to the response and to its Case Request."""
        return await _each(context, self._make)

    async def revoke(self, context: ActionContext) -> Mapping[str, ApiError]:
        """Close the link of each response at once, and remove it from the Case Request."""
        return await _each(context, self._revoke)

    async def refusal(
        self,
        connection: Connection,
        registry: Registry,
        caller: Caller,
        response: str,
    ) -> ApiError | None:
        """Return the error with which ``make`` would refuse a response without a package, whatever its last day.

        None when no reason is known.
        """
        row = await connection.fetchrow(RESPONSE_NOW, response)
        if row is None:
            return None
        try:
            require(caller, REQUEST, Operation.EDIT)
            require(caller, DOCUMENTS, Operation.READ)
            await _content(connection, registry, response, row["letter"] or "")
            self._address()
        except VaultFault as fault:
            return fault.error
        return None

    async def _make(self, context: ActionContext, response: str) -> None:
        """Make the package of a response.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read documents; OPERATION_NOT_ALLOWED for a
            response that has a package, or whose documents are not all approved; INVALID_DATA for a day on which no
            link may end.
        """
        now = await _response(context, response)
        if now["link"] is not None:
            raise _refusal("The response has a package already; revoke it first")
        require(context.caller, DOCUMENTS, Operation.READ)
        expires = self._end(now["expires"], datetime.now(UTC).date())
        letter = now["letter"] or ""
        chosen = await _content(context.connection, context.registry, response, letter)
        token = new_token()
        package = await context.connection.fetchval(
            ADD,
            response,
            token_digest(token),
            now["title"],
            letter,
            context.caller.user_id,
            expires,
        )
        await context.connection.execute(ADD_FILES, package, *_columns(chosen))
        link = f"{self._address()}{PATH}{token}"
        last_day = (expires - timedelta(days=1)).date()
        await _change(context, RESPONSE, response, {LINK: link, EXPIRES: last_day})
        await self._show(context, now, link)
        text = f"{len(chosen)} documents, until {last_day.isoformat()}"
        await _note(context, AuditAction.MAKE_PACKAGE, response, text)

    async def _revoke(self, context: ActionContext, response: str) -> None:
        """Revoke the package of a response.

        :raises VaultFault: OPERATION_NOT_ALLOWED when it has no open package.
        """
        now = await _response(context, response)
        revoked = await context.connection.fetch(REVOKE, response)
        if not revoked:
            raise _refusal("The response has no open package")
        await _change(context, RESPONSE, response, {LINK: None})
        # The request may show the link of a later package, which stays.
        if now["shown"] == now["link"]:
            await self._show(context, now, None)
        await _note(context, AuditAction.REVOKE_PACKAGE, response, "")

    async def _show(
        self, context: ActionContext, now: Record, link: str | None
    ) -> None:
        """Write the link of the package (None removes it) to the Case Request, and send the request to its CRM.

        :raises VaultFault: when the Case Request refuses the change.
        """
        request = now["request"]
        await _change(context, REQUEST, request, {LINK: link})
        target = context.registry.objects[REQUEST]
        there = replace(context, object=target, ids=[request], state=now["state"])
        try:
            await self._repeat(there, RETURN)
        except RowsRefused as refusal:
            # The ids are not those that this action was asked for: its caller could not leave them out.
            error = next(iter(refusal.errors.values()))
            raise VaultFault(error.type, error.message) from refusal

    def _address(self) -> str:
        """Return the address of this Vault.

        :raises VaultFault: OPERATION_NOT_ALLOWED when it was not set.
        """
        if not self._url:
            raise _refusal(
                "The address of this Vault is unknown: VAULT_PUBLIC_URL is not set"
            )
        return self._url.rstrip("/")

    def _end(self, wanted: date | None, today: date) -> datetime:
        """Return the end of a link: the end of its last day, in UTC.

        :raises VaultFault: INVALID_DATA when that day is past, or too far away.
        """
        last = today + timedelta(days=self._most_days)
        day = wanted or min(last, today + timedelta(days=DAYS))
        if not today <= day <= last:
            days = f"{today.isoformat()} to {last.isoformat()}"
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"The last day of a package's link is from {days}",
            )
        following = day + timedelta(days=1)
        return datetime.combine(following, time(), UTC)


async def _each(context: ActionContext, carry_out: Step) -> dict[str, ApiError]:
    """Carry out a step for each record; return the errors of refused records by id."""
    errors: dict[str, ApiError] = {}
    for record_id in context.ids:
        try:
            async with context.connection.transaction():
                await carry_out(context, record_id)
        except VaultFault as fault:
            errors[record_id] = fault.error
    return errors


async def _response(context: ActionContext, response: str) -> Record:
    """Return a response with the present values of its Case Request, for callers who may edit both.

    :raises VaultFault: INSUFFICIENT_ACCESS.
    """
    require(context.caller, REQUEST, Operation.EDIT)
    row = await context.connection.fetchrow(RESPONSE_NOW, response)
    if row is None:
        raise AssertionError  # the action has locked it, and its parent is required
    return row


async def _content(
    connection: Connection, registry: Registry, response: str, letter: str
) -> list[ChosenDocument]:
    """Return the documents of a response in their order, after checking that there is something to send.

    :raises VaultFault: OPERATION_NOT_ALLOWED for neither a letter nor documents, for too many documents, and for a
        document that is not approved or has no file.
    """
    chosen = await _chosen(connection, registry, response)
    if not chosen and not letter.strip():
        raise _refusal("The package has neither a cover letter nor a document")
    return chosen


async def _chosen(
    connection: Connection, registry: Registry, response: str
) -> list[ChosenDocument]:
    rows = await connection.fetch(CHOSEN, response)
    if len(rows) > MAX_DOCUMENTS:
        raise _refusal(f"A package has at most {MAX_DOCUMENTS} documents")
    documents = [row["document_id"] for row in rows]
    versions = await versions_of(connection, registry, documents)
    today = datetime.now(UTC).date()
    served = served_versions(versions, today)
    steady = {each.id for each in versions if each.state_type == STEADY}
    ids = [_version_id(row) for row in rows]
    files = await connection.fetch(FILES, ids)
    by_version = {row["version_id"]: row for row in files}
    chosen = []
    for row, version in zip(rows, ids, strict=True):
        name = f"[{row['name__v']}], version {row['number']},"
        if version not in served & steady:
            raise _refusal(f"{name} is not approved, or not any more")
        if version not in by_version:
            raise _refusal(f"{name} has no file")
        file = by_version[version]
        chosen.append(ChosenDocument(row["name__v"], row["document_id"], version, file))
    return chosen


def _version_id(row: Record) -> str:
    """Return the id of the version that a Fulfillment Document names."""
    number = str(row["number"]).replace(".", "_")
    return f"{row['document_id']}_{number}"


def _columns(chosen: Sequence[ChosenDocument]) -> list[list[object]]:
    """Return the files of a package as columns of their table."""
    return [
        list(range(1, len(chosen) + 1)),
        [each.document_id for each in chosen],
        [each.version_id for each in chosen],
        [each.name for each in chosen],
        *([each.file[name] for each in chosen] for name in FILE_COLUMNS),
    ]


async def _change(
    context: ActionContext,
    object_name: str,
    record_id: str,
    changes: Mapping[str, object],
) -> None:
    """Set values of a record, also in fields that users may not edit.

    :raises VaultFault: when the record refuses them.
    """
    target = context.registry.objects[object_name]
    caller = on_behalf_of(context.caller)
    (result,) = await context.records.change_in(
        context.connection, caller, target, [record_id], {}, changes
    )
    if result.errors:
        error = result.errors[0]
        raise VaultFault(error.type, error.message)


async def _note(
    context: ActionContext, action: AuditAction, response: str, text: str
) -> None:
    """Write an action on a response's package to the audit trail."""
    await entries.write_events(
        context.connection,
        context.registry,
        context.caller,
        action,
        RESPONSE,
        [response],
        text,
    )


def _refusal(message: str) -> VaultFault:
    return VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
