"""Reads the settings of a Vault process, from the environment (``VAULT_…``) or from secret files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from shared.runtime.process import TlsListener
from shared.vault.assembly.vault_listening import VaultListening
from shared.vault.connections.allowed_addresses import AllowedAddresses
from shared.vault.connections.connection_rules import DomainType
from shared.vault.notifications.mail import MailServer, SmtpSecurity
from shared.vault.security.call_limits import Limits
from shared.vault.storage.fair_slots import QueryLimits


def _split(text: str | None) -> list[str]:
    """Return the non-empty parts of a text between commas, without surrounding spaces."""
    parts = (part.strip() for part in (text or "").split(","))
    return [part for part in parts if part]


class VaultSettings(VaultListening):
    """Settings of one Vault process; its three sign-ins are stored again at every start."""

    database_dsn: SecretStr
    # The role that owns the database, and keeps the audit table out of this service's reach.
    owner_dsn: SecretStr | None = None
    amqp_url: SecretStr
    # The definition's own when not set; of the Vault at the other end of medical_crm__v likewise.
    vault_id: int | None = None
    remote_vault_id: int | None = None
    # Half of them are for queries at most, and one for each job.
    database_connections: int = 12
    load_example_data: bool = True

    admin_username: str = "admin@vault.example"
    admin_password: SecretStr
    integration_username: str = "integration@vault.example"
    integration_password: SecretStr
    business_username: str = "user@vault.example"
    business_password: SecretStr

    # That a process goes on serving after SIGTERM, while it sends its clients elsewhere.
    drain_seconds: float = 2.0

    session_idle_minutes: int = 60
    # Of a user; a further one ends the session that was not used for the longest time.
    sessions_per_user: Annotated[int, Field(ge=1)] = 50
    # Calls in a minute by user name, DNS and address: delayed from half of it on, refused beyond it.
    sign_in_limit: int = 100
    # Calls of a user in five minutes, delayed beyond it. Those of the connection's user are the
    # transfer itself, and must not be slowed down.
    burst_limit: int = 2000
    burst_limit_integration: int = 1_000_000
    burst_delay_ms: int = 500

    # This Vault's address in envelopes.
    host_name: str = "localhost"
    # The address under which other Vaults reach this one; it is part of connection files.
    url: str | None = None
    # The address under which people open pages of this Vault, by links of response packages too; ``url`` if not set.
    public_url: AnyHttpUrl | None = None
    # The address of the connector, which pages ask for readiness and previews.
    connector_url: AnyHttpUrl | None = None
    # A sandbox Vault never writes into a production Vault.
    domain_type: DomainType = DomainType.PRODUCTION

    # For so long a connection file may be uploaded.
    connection_file_days: Annotated[int, Field(ge=1, le=90)] = 7
    # The longest that the link of a response package is open.
    response_package_days: Annotated[int, Field(ge=1, le=365)] = 90
    # Who answers, and how recipients of a response reach them; its page says both.
    response_sender: Annotated[str, Field(max_length=100)] = "Medical Information"
    response_contact: Annotated[str, Field(max_length=300)] = ""
    # Beginnings of addresses that External connections may have, by commas.
    connection_urls: str | None = None

    # Queries of a user that run at once; the next one waits for so long before it is refused.
    query_concurrency: Annotated[int, Field(ge=1)] = 3
    query_wait_seconds: float = 30.0
    query_timeout_seconds: float = 60.0  # of one statement of the database

    job_workers: int = 2  # jobs that this process runs at once
    # A process that is silent for so long has lost its jobs to the others.
    job_lease_seconds: float = 30.0
    # A job's status may be requested once in so long.
    job_poll_seconds: float = 10.0
    # A run of an integration without a report for so long ends with errors.
    run_patience_minutes: float = 60.0
    job_days: int = 30  # a job and its results are deleted so long after its end

    # Direct Data files are made by themselves: incremental ones every 15 minutes, the others every day.
    direct_data: bool = False

    smtp_host: str | None = None  # e-mail is sent when set
    smtp_port: int = 587
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_ca_file: Path | None = None  # PEM; the machine's own authorities when not set
    smtp_sender: str = "vault@localhost"
    smtp_timeout_seconds: float = 30.0  # of one exchange with the server

    # Files of this Vault are in a folder of its name below.
    staging_folder: Path = Path("data")
    # The largest source file or rendition of a document that a call may send.
    document_file_bytes: int = 100 * 2**20
    staging_file_bytes: int = 5 * 2**30  # of one file
    staging_user_bytes: int = 50 * 2**30  # of a user's files together
    staging_s3_bucket: str | None = None  # files are stored here instead, when set
    staging_s3_endpoint: str | None = None  # of a server other than AWS
    staging_s3_region: str | None = None
    staging_s3_access_key: str | None = None
    staging_s3_secret_key: SecretStr | None = None

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            message = "VAULT_TLS_CERTIFICATE and VAULT_TLS_KEY are set together"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _connections_for_small_calls(self) -> Self:
        queries = self.database_connections // 2
        if self.database_connections <= queries + self.job_workers:
            message = (
                "VAULT_DATABASE_CONNECTIONS leaves none to small calls: queries may have half of them,"
                " and each of VAULT_JOB_WORKERS has one"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _plain_addresses(self) -> Self:
        AllowedAddresses.listed(_split(self.connection_urls))
        return self

    @property
    def allowed_addresses(self) -> AllowedAddresses:
        """Return the addresses that External connections may have."""
        return AllowedAddresses.listed(_split(self.connection_urls))

    @property
    def burst_limits(self) -> Limits:
        """Return the limits of a user's calls in five minutes."""
        return Limits(users=self.burst_limit, connections=self.burst_limit_integration)

    @property
    def query_limits(self) -> QueryLimits:
        """Return the limits of one user's queries."""
        return QueryLimits(
            concurrent=self.query_concurrency,
            wait_seconds=self.query_wait_seconds,
            timeout_seconds=self.query_timeout_seconds,
        )

    @property
    def mail_server(self) -> MailServer | None:
        """Return the server that accepts e-mail, or None."""
        if self.smtp_host is None:
            return None
        secret = self.smtp_password
        password = None if secret is None else secret.get_secret_value()
        return MailServer(
            host=self.smtp_host,
            port=self.smtp_port,
            sender=self.smtp_sender,
            security=self.smtp_security,
            username=self.smtp_username,
            password=password,
            ca_file=self.smtp_ca_file,
            timeout=self.smtp_timeout_seconds,
        )

    @property
    def tls(self) -> TlsListener | None:
        """Return the port and the certificate for HTTPS; None without HTTPS."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsListener(self.tls_port, self.tls_certificate, self.tls_key)
