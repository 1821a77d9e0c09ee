"""Carries out the named action ``notify``: notifies users about records in the transaction that changes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import profile_reads
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.configured_queries import (
    readable_paths,
    rendered,
    token_paths,
    value_text,
    values_query,
)
from shared.vault.components.entry_action_definitions import MAX_SUBJECT
from shared.vault.errors import ApiError, VaultFault
from shared.vault.notifications.mail import EMAIL_JOB

if TYPE_CHECKING:
    from shared.vault.access.caller import SecurityProfile
    from shared.vault.jobs.job_service import JobService
    from shared.vault.records.named_actions import ActionContext

# Records times recipients of one run of the action.
MAX_NOTIFICATIONS = 20_000

USERS = """
SELECT user_id FROM platform.credential WHERE active AND (username = ANY($1::text[]) OR user_id::text = ANY($1::text[]))
UNION
SELECT c.user_id FROM platform.user_group g JOIN platform.credential c ON c.active AND (
    c.security_profile = ANY(g.security_profiles)
    OR EXISTS (SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = c.user_id))
WHERE g.active AND (g.name = ANY($2::text[]) OR g.id::text = ANY($2::text[]))
ORDER BY 1
"""
PROFILES = """
SELECT user_id::text AS user_id, security_profile FROM platform.credential
WHERE active AND user_id::text = ANY($1::text[])
"""
# DISTINCT: a user may be named by a group and by a field of the record.
STORE = """
WITH stored AS (
    INSERT INTO platform.notification (object, record_id, subject, body)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) RETURNING id, record_id
), recipients AS (
    INSERT INTO platform.notification_recipient (notification_id, user_id, email)
    SELECT DISTINCT stored.id, c.user_id, CASE WHEN $7 THEN 'queued' END
    FROM stored JOIN unnest($5::text[], $6::text[]) AS r(record_id, user_id) USING (record_id)
    JOIN platform.credential c ON c.user_id::text = r.user_id AND c.active
    RETURNING notification_id
)
SELECT DISTINCT notification_id FROM recipients ORDER BY 1
"""

Values = Mapping[str, Mapping[str, str]]
"""Values of records as text, by record id and field path."""

Recipients = Sequence[tuple[str, str]]
"""Pairs of a record's id and a user's id, each once."""


class Notifier:
    """Writes notifications, each with the fields of the record that its recipient may read.

    ``profile`` returns the security profile of a name; ``emailing`` says whether this Vault has a mail server.
    """

    def __init__(
        self,
        jobs: JobService,
        profile: Callable[[str], SecurityProfile],
        *,
        emailing: bool,
    ) -> None:
        self._jobs = jobs
        self._profile = profile
        self._emailing = emailing

    async def notify(self, context: ActionContext) -> Mapping[str, ApiError]:
        """Notify ``users``, ``groups``, and the users that ``fields`` of each record name.

        Inactive and unknown users are left out. A field that a recipient may not read is
        a dash in the text for them. Unless ``email`` is false, an e-mail is queued as well.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the configuration does not suit the
            object, or there are too many notifications to write.
        """
        subject, body = context.parameter("subject"), context.parameter("body")
        fields = context.texts("fields")
        values = await _values(context, subject, body, fields)
        recipients = await self._recipients(context, values, fields)
        if len(recipients) > MAX_NOTIFICATIONS:
            message = f"There are more than {MAX_NOTIFICATIONS} notifications to make"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        wanted = context.parameters.get("email", (True,))[0] is not False
        emailing = self._emailing and wanted
        paths = (*token_paths(subject), *token_paths(body))
        by_fields = await self._by_readable_fields(context, paths, recipients)
        stored: list[int] = []
        for shown, readers in by_fields.items():
            ids = list(dict.fromkeys(record_id for record_id, _ in readers))
            subjects = [_line(rendered(subject, values[each], shown)) for each in ids]
            bodies = [rendered(body, values[each], shown) for each in ids]
            texts = (ids, subjects, bodies)
            stored += await _store(context, texts, readers, emailing=emailing)
        if stored and emailing:
            await self._queue_email(context, stored)
        return {}

    async def _by_readable_fields(
        self,
        context: ActionContext,
        paths: Collection[str],
        recipients: Recipients,
    ) -> Mapping[frozenset[str], Recipients]:
        """Return the active recipients, grouped by the fields that they may read."""
        users = list({user for _, user in recipients})
        rows = await context.connection.fetch(PROFILES, users)
        name_of = {row["user_id"]: row["security_profile"] for row in rows}
        fields_of: dict[str, frozenset[str]] = {}
        # Users are many, profiles few.
        for name in set(name_of.values()):
            reads = profile_reads(self._profile(name))
            fields_of[name] = readable_paths(
                paths, context.object.name, context.registry, reads, context.targets
            )
        found: dict[frozenset[str], list[tuple[str, str]]] = defaultdict(list)
        for record_id, user in recipients:
            if user in name_of:
                found[fields_of[name_of[user]]].append((record_id, user))
        return found

    @staticmethod
    async def _recipients(
        context: ActionContext,
        values: Values,
        fields: Sequence[str],
    ) -> list[tuple[str, str]]:
        """Return pairs of a record's id and a user's id, each once."""
        users, groups = context.texts("users"), context.texts("groups")
        rows = await context.connection.fetch(USERS, users, groups)
        everyone = [str(row["user_id"]) for row in rows]
        recipients: list[tuple[str, str]] = []
        for record_id in context.ids:
            named = [values[record_id][name] for name in fields]
            # In their order, each once; a field of the record may be empty.
            users_of = dict.fromkeys([*everyone, *named])
            recipients += [(record_id, user) for user in users_of if user]
        return recipients

    async def _queue_email(self, context: ActionContext, ids: list[int]) -> None:
        """Submit the job that sends these notifications, in the transaction of the records."""
        await self._jobs.submit(
            SYSTEM,
            EMAIL_JOB,
            f"E-mail about {context.object.label_plural}",
            {"notifications": ids, "attempt": 1},
            connection=context.connection,
        )


async def _store(
    context: ActionContext,
    texts: tuple[list[str], list[str], list[str]],
    recipients: Recipients,
    *,
    emailing: bool,
) -> list[int]:
    """Store the notifications of records with subjects and bodies; return the ids of those with recipients."""
    rows = await context.connection.fetch(
        STORE,
        context.object.name,
        *texts,
        [record_id for record_id, _ in recipients],
        [user for _, user in recipients],
        emailing,
    )
    return [row["notification_id"] for row in rows]


def _line(text: str) -> str:
    """Return a text on one line, cut to the length of a subject."""
    return " ".join(text.split())[:MAX_SUBJECT]


async def _values(
    context: ActionContext,
    subject: str,
    body: str,
    fields: Sequence[str],
) -> Values:
    """Return the values that the templates and the recipients need.

    :raises VaultFault: OPERATION_NOT_ALLOWED when a template does not suit the object.
    """
    try:
        paths = dict.fromkeys([*token_paths(subject), *token_paths(body), *fields])
        compiled = values_query(
            paths,
            context.object.name,
            context.registry,
            context.ids,
            context.targets,
        )
    except (vql.VqlError, ComponentError) as error:
        message = (
            f"The notification is not a valid template for [{context.object.name}]"
        )
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
    sql, parameters = compiled.page(len(context.ids), 0)
    # Parameters such as the caller's id are known only now that the query runs.
    if compiled.deferred:
        execution = vql.Execution(datetime.now(UTC))
        parameters = vql.resolve(parameters, execution)
    keys = compiled.keys
    values: dict[str, dict[str, str]] = {}
    for row in await context.connection.fetch(sql, *parameters):
        # The record's id is the first of the selected values; a document's is a number.
        record_id = str(row[0])
        values[record_id] = dict(zip(keys, map(value_text, row), strict=False))
    return values
