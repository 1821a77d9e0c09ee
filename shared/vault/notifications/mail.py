"""E-mail of notifications: a job that sends what is queued, and tries again later what a server does not take now."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import aiosmtplib

from shared.vault.access.caller import SYSTEM
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    TaskState,
)

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.storage.database import Database

EMAIL_JOB = "notification_email"
TASK = "1"
MAX_ATTEMPTS = 8  # the last one about an hour after the first
FIRST_PAUSE = timedelta(
    seconds=30
)  # before the second attempt, doubled for each further one

# In the order of their recipients, so that what a run has not come to is behind what it has.
QUEUED = """
SELECT n.id, n.subject, n.body, n.created_date, r.user_id,
    coalesce(nullif(u.email__sys, ''), u.username__sys) AS address
FROM platform.notification_recipient r JOIN platform.notification n ON n.id = r.notification_id
JOIN platform.credential c ON c.user_id = r.user_id
JOIN records.user__sys u ON u.id = r.user_id::text
WHERE r.notification_id = ANY($1::bigint[]) AND r.email = 'queued' AND c.active ORDER BY r.user_id, n.id
"""
NOTE = "UPDATE platform.notification_recipient SET email = $3 WHERE notification_id = $1 AND user_id = $2"
GIVE_UP = """
UPDATE platform.notification_recipient SET email = 'failed'
WHERE notification_id = ANY($1::bigint[]) AND email = 'queued'
"""


class SmtpSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed in, and by whom; ``timeout`` (seconds) bounds each exchange with the server."""

    host: str
    port: int
    sender: str
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    timeout: float = 30.0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that is signed in; raises aiosmtplib.SMTPException, OSError."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            timeout=self.timeout,
            use_tls=self.security is SmtpSecurity.TLS,
            start_tls=self.security is SmtpSecurity.STARTTLS,
            tls_context=ssl.create_default_context(cafile=self.ca_file),
        )
        async with client:
            yield client


class NotNow(Exception):
    """The server takes nothing at this time; what is queued stays so."""


async def send_emails(context: JobContext) -> JobResult:
    """Send what is queued of these notifications; what the server does not take now is left to a later job."""
    server = context.vault.settings.mail_server
    ids, attempt = _parameters(context)
    database = context.vault.database
    async with database.connection() as connection:
        queued = await connection.fetch(QUEUED, ids)
    counts = {"sent": 0, "failed": 0, "left": len(queued)}
    if queued and server is not None:
        try:
            await _send_all(context, server, queued, counts)
        except NotNow:
            if attempt < MAX_ATTEMPTS:
                await _send_later(context, ids, attempt)
                return JobResult(results=counts)
    if counts["left"]:
        async with database.connection() as connection:
            await connection.execute(GIVE_UP, ids)
        counts = {
            "sent": counts["sent"],
            "failed": counts["failed"] + counts["left"],
            "left": 0,
        }
    failed = counts["failed"] > 0
    await context.progress(
        TASK,
        counts,
        state=TaskState.ERRORS_ENCOUNTERED if failed else TaskState.SUCCESS,
    )
    return JobResult(
        JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS, counts
    )


def _parameters(context: JobContext) -> tuple[list[int], int]:
    ids, attempt = context.parameters["notifications"], context.parameters["attempt"]
    assert isinstance(ids, list)  # noqa: S101  as this module has stored it
    assert isinstance(attempt, int)  # noqa: S101
    return ids, attempt


async def _send_later(context: JobContext, ids: Sequence[int], attempt: int) -> None:
    """Leave the rest to a job of its own, behind a pause that grows."""
    at = datetime.now(UTC) + FIRST_PAUSE * 2 ** (attempt - 1)
    parameters = {"notifications": list(ids), "attempt": attempt + 1}
    title = f"E-mail, attempt {attempt + 1}"
    key = f"{EMAIL_JOB} {ids[0]} {attempt + 1}"  # a run that is done again makes no second job
    await context.vault.jobs.submit(
        SYSTEM, EMAIL_JOB, title, parameters, run_at=at, singleton_key=key
    )


async def _send_all(
    context: JobContext,
    server: MailServer,
    queued: Sequence[Record],
    counts: dict[str, int],
) -> None:
    """Send each e-mail by itself over one connection; raises NotNow when the server takes no more of them."""
    try:
        async with server.session() as client:
            for row in queued:
                context.raise_if_stopped()
                state = (
                    "sent" if await _taken(client, _message(server, row)) else "failed"
                )
                await _note(context.vault.database, row, state)
                counts[state] += 1
                counts["left"] -= 1
                await context.progress(TASK, counts)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotNow from error


async def _taken(client: aiosmtplib.SMTP, message: EmailMessage) -> bool:
    """Whether the server has taken the message; False when it never will: an answer 5xx, or no address at all.

    :raises aiosmtplib.SMTPException: when it may take it later.
    """
    try:
        await client.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        if any(each.code < 500 for each in refused.recipients):
            raise
        return False
    except aiosmtplib.SMTPResponseException as refusal:
        if refusal.code < 500:
            raise
        return False
    except ValueError:
        return False
    return True


async def _note(database: Database, row: Record, state: str) -> None:
    async with database.connection() as connection:
        await connection.execute(NOTE, row["id"], row["user_id"], state)


def _message(server: MailServer, row: Record) -> EmailMessage:
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = _header(row["address"])
    message["Subject"] = _header(row["subject"])
    message["Date"] = format_datetime(row["created_date"])
    # The same when it is sent again: a mail program shows it once.
    message["Message-ID"] = (
        f"<notification-{row['id']}-{row['user_id']}@{server.sender.rpartition('@')[2]}>"
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(row["body"])
    return message


def _header(text: str) -> str:
    return " ".join(text.split())


JOBS = {EMAIL_JOB: JobType(send_emails, timeout=900.0)}
