"""Sends notifications as e-mail by a job; tries those again later that the server does not accept now."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import aiosmtplib

from shared.runtime.retry_policies import EMAIL
from shared.vault.access.caller import SYSTEM
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    ended_state,
)
from shared.vault.records.email_addresses import is_one_address

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Database

EMAIL_JOB = "notification_email"
TASK = "1"
TIMEOUT = 900.0  # seconds of one run

# Ordered, so that a run that is cut off has sent the first ones and left the last.
QUEUED = """
SELECT n.id, n.subject, n.body, n.created_date, r.user_id,
    coalesce(nullif(u.email__sys, ''), u.username__sys) AS address
FROM platform.notification_recipient r JOIN platform.notification n ON n.id = r.notification_id
JOIN platform.credential c ON c.user_id = r.user_id
JOIN records.user__sys u ON u.id = r.user_id::text
WHERE r.notification_id = ANY($1::bigint[]) AND r.email = 'queued' AND c.active ORDER BY r.user_id, n.id
"""
SAVE_STATE = """
UPDATE platform.notification_recipient SET email = $3, email_date = now() WHERE notification_id = $1 AND user_id = $2
"""
GIVE_UP = """
UPDATE platform.notification_recipient SET email = 'failed', email_date = now()
WHERE notification_id = ANY($1::bigint[]) AND email = 'queued'
"""


class EmailState(StrEnum):
    """The states of the e-mail of a notification to one recipient."""

    SENT = "sent"
    FAILED = "failed"


class SmtpSecurity(StrEnum):
    """The ways in which the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that accepts e-mail, and its sign-in; ``timeout`` (seconds) bounds each exchange."""

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
        """Open a connection that is signed in.

        :raises aiosmtplib.SMTPException: when the server refuses the connection.
        :raises OSError: when the server cannot be reached.
        """
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
    """Raised when the server accepts no e-mail at this time; queued e-mail stays queued."""


class EmailJobs:
    """Carries out the jobs that send e-mail; ``server`` is None where the Vault has no mail server."""

    def __init__(
        self,
        database: Database,
        jobs: JobService,
        server: MailServer | None,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._server = server

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {EMAIL_JOB: JobType(self.send, timeout=TIMEOUT)}

    async def send(self, context: JobContext) -> JobResult:
        """Send the queued e-mails of these notifications; submit a later job for those that the server defers."""
        ids: list[int] = context.parameters["notifications"]  # type: ignore[assignment]
        attempt: int = context.parameters["attempt"]  # type: ignore[assignment]
        async with self._database.connection() as connection:
            queued = await connection.fetch(QUEUED, ids)
        counts = {"sent": 0, "failed": 0, "left": len(queued)}
        if queued and self._server is not None:
            try:
                await self._send_all(context, self._server, queued, counts)
            except NotNow:
                if attempt < EMAIL.attempts:
                    await self._send_later(ids, attempt)
                    return JobResult(results=counts)
        if counts["left"]:
            async with self._database.connection() as connection:
                await connection.execute(GIVE_UP, ids)
            counts["failed"] += counts["left"]
            counts["left"] = 0
        failed = counts["failed"] > 0
        state = ended_state(failed=failed)
        status = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
        await context.progress(TASK, counts, state=state)
        return JobResult(status, counts)

    async def _send_later(self, ids: Sequence[int], attempt: int) -> None:
        """Submit the next attempt, after a pause that doubles each time."""
        run_at = datetime.now(UTC) + timedelta(seconds=EMAIL.pause_before(attempt + 1))
        parameters = {"notifications": list(ids), "attempt": attempt + 1}
        # By its key a run that is repeated submits no second job.
        key = f"{EMAIL_JOB} {ids[0]} {attempt + 1}"
        await self._jobs.submit(
            SYSTEM,
            EMAIL_JOB,
            f"E-mail, attempt {attempt + 1}",
            parameters,
            run_at=run_at,
            singleton_key=key,
        )

    async def _send_all(
        self,
        context: JobContext,
        server: MailServer,
        queued: Sequence[Record],
        counts: dict[str, int],
    ) -> None:
        """Send the e-mails one by one over one connection, and count each in ``counts``.

        :raises NotNow: when the server cannot be reached, or accepts no more of them.
        """
        try:
            async with server.session() as client:
                for row in queued:
                    context.raise_if_stopped()
                    accepted = await _accepted(client, server, row)
                    state = EmailState.SENT if accepted else EmailState.FAILED
                    await self._save_state(row, state)
                    counts[state] += 1
                    counts["left"] -= 1
                    await context.progress(TASK, counts)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotNow from error

    async def _save_state(self, row: Record, state: EmailState) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                SAVE_STATE,
                row["id"],
                row["user_id"],
                state.value,
            )


async def _accepted(client: aiosmtplib.SMTP, server: MailServer, row: Record) -> bool:
    """Send an e-mail; return False when the server will never accept it (reply 5xx), or its address is not valid.

    :raises aiosmtplib.SMTPException: when the server may accept it later.
    """
    # A user may be older than the rule for e-mails, and one without an e-mail has a user name that is none.
    if not is_one_address(row["address"]):
        return False
    try:
        await client.send_message(_message(server, row))
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


def _message(server: MailServer, row: Record) -> EmailMessage:
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = row["address"]
    message["Subject"] = _header(row["subject"])
    message["Date"] = format_datetime(row["created_date"])
    domain = server.sender.rpartition("@")[2]
    # The same when it is sent again: a mail program shows it once.
    message["Message-ID"] = f"<notification-{row['id']}-{row['user_id']}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(row["body"])
    return message


def _header(text: str) -> str:
    """Return a text on one line, since a line break would begin another header."""
    return " ".join(text.split())
