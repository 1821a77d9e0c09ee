"""Settings of a Vault process, from the environment (``VAULT_…``) or from secret files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.runtime.process import TlsListener
from shared.runtime.settings import RuntimeSettings
from shared.vault.connections.connection_rules import DomainType
from shared.vault.notifications.mail import MailServer, SmtpSecurity
from shared.vault.queries.query_slots import QueryLimits
from shared.vault.security.call_limits import Limits


class VaultSettings(RuntimeSettings):
    """One Vault process; the three sign-ins are created on start and their passwords kept as set here."""

    model_config = SettingsConfigDict(env_prefix="VAULT_")

    database_dsn: SecretStr
    owner_dsn: SecretStr | None = (
        None  # role that owns the database and keeps the audit table from this service's
    )
    amqp_url: SecretStr
    vault_id: int | None = None  # the definition's own when not set
    remote_vault_id: int | None = (
        None  # of the Vault at the other end of medical_crm__v, likewise
    )
    database_connections: int = 12
    load_example_data: bool = True

    admin_username: str = "admin@vault.example"
    admin_password: SecretStr
    integration_username: str = "integration@vault.example"
    integration_password: SecretStr
    business_username: str = "user@vault.example"
    business_password: SecretStr

    drain_seconds: float = 2.0  # that a process goes on serving after SIGTERM, while it sends its clients elsewhere

    session_idle_minutes: int = 60
    sign_in_limit: int = 100  # calls in a minute by user name and DNS; delayed from half of it on, refused beyond it
    burst_limit: int = 2000  # calls of a user in five minutes, delayed beyond it
    burst_limit_integration: int = (
        1_000_000  # the same of the connection's user, whose calls are the work itself
    )
    burst_delay_ms: int = 500

    tls_certificate: Path | None = (
        None  # PEM, with the chain; HTTPS is served beside HTTP when set
    )
    tls_key: Path | None = None
    tls_port: int = 8443
    host_name: str = "localhost"  # what envelopes say of this Vault's address
    url: str | None = (
        None  # under which other Vaults reach this one, told in connection files
    )
    domain_type: DomainType = (
        DomainType.PRODUCTION
    )  # a sandbox Vault never writes into a production Vault

    connection_file_days: Annotated[int, Field(ge=1, le=90)] = (
        7  # that a connection file may be uploaded
    )
    connection_urls: str | None = (
        None  # beginnings of addresses that External connections may have, by commas
    )

    query_concurrency: int = 5  # queries of a user that run at once; the next one waits
    query_wait_seconds: float = 30.0  # at most, before it is refused
    query_timeout_seconds: float = 60.0  # of one statement of the database

    job_workers: int = 2  # jobs that this process runs at once
    job_lease_seconds: float = (
        30.0  # a process silent for so long has lost its jobs to the others
    )
    job_poll_seconds: float = 10.0  # a job's status may be asked for once in so long
    run_patience_minutes: float = 60.0  # that a run of an integration may go unheard of before it ends with errors
    job_days: int = 30  # that a job and its results are kept after its end

    smtp_host: str | None = None  # e-mail is sent when set
    smtp_port: int = 587
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_ca_file: Path | None = None  # PEM; the machine's own authorities when not set
    smtp_sender: str = "vault@localhost"
    smtp_timeout_seconds: float = 30.0  # of one exchange with the server

    staging_folder: Path = Path(
        "data"
    )  # files of this Vault are in a folder of its name below
    document_file_bytes: int = (
        100 * 2**20
    )  # at most, of a file that a document or a rendition is sent with
    staging_file_bytes: int = 5 * 2**30  # at most, of one file
    staging_user_bytes: int = 50 * 2**30  # at most, of a user's files together
    staging_s3_bucket: str | None = None  # files are kept here instead, when set
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

    @property
    def allowed_connection_urls(self) -> tuple[str, ...]:
        """Beginnings of addresses that External connections may have."""
        return tuple(
            url.strip()
            for url in (self.connection_urls or "").split(",")
            if url.strip()
        )

    @property
    def burst_limits(self) -> Limits:
        """Calls of a user in five minutes."""
        return Limits(self.burst_limit, self.burst_limit_integration)

    @property
    def query_limits(self) -> QueryLimits:
        """What one user's queries may take."""
        return QueryLimits(
            self.query_concurrency, self.query_wait_seconds, self.query_timeout_seconds
        )

    @property
    def mail_server(self) -> MailServer | None:
        """Where e-mail is handed in, or None."""
        if self.smtp_host is None:
            return None
        return MailServer(
            self.smtp_host,
            self.smtp_port,
            self.smtp_sender,
            self.smtp_security,
            self.smtp_username,
            None
            if self.smtp_password is None
            else self.smtp_password.get_secret_value(),
            self.smtp_ca_file,
            self.smtp_timeout_seconds,
        )

    @property
    def tls(self) -> TlsListener | None:
        """Where and with which certificate HTTPS is served, or None."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsListener(self.tls_port, self.tls_certificate, self.tls_key)
