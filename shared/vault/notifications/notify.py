"""The named action ``notify``: tells users about records, in the transaction in which something happens to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.access.caller import SYSTEM
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.entry_action_definitions import MAX_SUBJECT
from shared.vault.components.notification_templates import (
    rendered,
    token_paths,
    value_text,
    values_query,
)
from shared.vault.errors import ApiError, VaultFault
from shared.vault.notifications.mail import EMAIL_JOB

if TYPE_CHECKING:
    from shared.vault.jobs.job_service import JobService
    from shared.vault.records.named_actions import ActionContext

MAX_TOLD = 20_000
"""Records times recipients of one run of the action."""

USERS = """
SELECT user_id FROM platform.credential WHERE active AND (username = ANY($1::text[]) OR user_id::text = ANY($1::text[]))
UNION
SELECT c.user_id FROM platform.user_group g JOIN platform.credential c ON c.active AND (
    c.security_profile = ANY(g.security_profiles)
    OR EXISTS (SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = c.user_id))
WHERE g.active AND (g.name = ANY($2::text[]) OR g.id::text = ANY($2::text[]))
ORDER BY 1
"""
STORE = """
WITH told AS (
    INSERT INTO platform.notification (object, record_id, subject, body)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) RETURNING id, record_id
), recipients AS (
    INSERT INTO platform.notification_recipient (notification_id, user_id, email)
    SELECT DISTINCT told.id, c.user_id, CASE WHEN $7 THEN 'queued' END
    FROM told JOIN unnest($5::text[], $6::text[]) AS r(record_id, user_id) USING (record_id)
    JOIN platform.credential c ON c.user_id::text = r.user_id AND c.active
    RETURNING notification_id
)
SELECT DISTINCT notification_id FROM recipients ORDER BY 1
"""

Values = Mapping[str, Mapping[str, str]]


class Notifier:
    """Writes notifications; ``emailing`` says whether this Vault has a mail server."""

    def __init__(self, jobs: JobService, *, emailing: bool) -> None:
        self._jobs = jobs
        self._emailing = emailing

    async def notify(self, context: ActionContext) -> Mapping[str, ApiError]:
        """Tell ``users`` and ``groups``, and whom ``fields`` of each record name, with ``subject`` and ``body``.

        Users who are inactive or not there are left out. Unless ``email`` is false, an e-mail is queued as well.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the configuration does not suit the object, or there are too
            many to tell.
        """
        subject, body = context.parameter("subject"), context.parameter("body")
        fields = context.texts("fields")
        values = await _values(context, subject, body, fields)
        everyone = await self._everyone(context)
        recipients = [
            (record_id, user)
            for record_id in context.ids
            for user in dict.fromkeys(
                [*everyone, *(values[record_id][name] for name in fields)]
            )
            if user
        ]
        if len(recipients) > MAX_TOLD:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"There are more than {MAX_TOLD} notifications to make",
            )
        wanted = (
            self._emailing and context.parameters.get("email", (True,))[0] is not False
        )
        subjects = [
            " ".join(rendered(subject, values[i]).split())[:MAX_SUBJECT]
            for i in context.ids
        ]
        told = await context.connection.fetch(
            STORE,
            context.object.name,
            list(context.ids),
            subjects,
            [rendered(body, values[i]) for i in context.ids],
            [record_id for record_id, _ in recipients],
            [user for _, user in recipients],
            wanted,
        )
        if told and wanted:
            parameters = {
                "notifications": [row["notification_id"] for row in told],
                "attempt": 1,
            }
            title = f"E-mail about {context.object.label_plural}"
            await self._jobs.submit(
                SYSTEM, EMAIL_JOB, title, parameters, connection=context.connection
            )
        return {}

    @staticmethod
    async def _everyone(context: ActionContext) -> list[str]:
        """Ids of the users who are told about every record."""
        rows = await context.connection.fetch(
            USERS, context.texts("users"), context.texts("groups")
        )
        return [str(row["user_id"]) for row in rows]


async def _values(
    context: ActionContext, subject: str, body: str, fields: Sequence[str]
) -> Values:
    """By record, what the templates and the recipients need of it."""
    try:
        paths = dict.fromkeys([*token_paths(subject), *token_paths(body), *fields])
        compiled = values_query(
            paths, context.object.name, context.registry, context.ids
        )
    except (vql.VqlError, ComponentError) as error:
        message = f"The notification is no template for [{context.object.name}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
    sql, parameters = compiled.page(len(context.ids), 0)
    if compiled.deferred:
        parameters = vql.resolve(parameters, vql.Execution(datetime.now(UTC)))
    rows = await context.connection.fetch(sql, *parameters)
    return {
        row[len(compiled.keys)]: dict(
            zip(compiled.keys, map(value_text, row), strict=False)
        )
        for row in rows
    }
