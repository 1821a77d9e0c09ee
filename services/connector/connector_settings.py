"""Reads the connector's settings from the environment and from secret files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.runtime.process import TlsListener
from shared.runtime.retry_policies import DELIVERY
from shared.runtime.settings import RuntimeSettings


class VaultAccess(BaseModel):
    """One Vault: address, integration user, and virtual host if its queues are at this connector's broker.

    The connector starts without an ``optional`` Vault, which joins when it answers for the first time.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=40)]
    url: str
    username: str
    password: SecretStr
    amqp_url: SecretStr | None = None
    optional: bool = False


class ConnectorSettings(RuntimeSettings):
    """Settings with the prefix ``CONNECTOR_``; times are in seconds.

    * ``vaults``: a JSON list of Vaults.
    * ``concurrency``: how many work units are transferred at once.
    * ``max_batch``: how many messages are gathered into work units together.
    * ``ca_file``: certificate authorities to trust besides the system's, for receivers of External connections.
    * ``public_url``: the address at which Vaults elsewhere reach this connector; without one it takes no messages by
      HTTPS.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONNECTOR_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    port: int = 8090
    vaults: Annotated[tuple[VaultAccess, ...], Field(min_length=1)]
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    prefetch: Annotated[int, Field(ge=1, le=2000)] = 200
    max_batch: Annotated[int, Field(ge=1, le=500)] = 100
    delivery_attempts: Annotated[int, Field(ge=1, le=20)] = DELIVERY.attempts
    delivery_first_pause: Annotated[float, Field(gt=0, le=60)] = DELIVERY.first_pause
    queue_check_interval: Annotated[float, Field(gt=0, le=300)] = 5.0
    public_url: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_port: int = 8453
    call_timeout: Annotated[float, Field(gt=0, le=300)] = 30.0
    call_concurrency: Annotated[int, Field(ge=1, le=100)] = 16
    ca_file: Path | None = None
    run_overlap: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    stop_grace: Annotated[float, Field(gt=0, le=120)] = 20.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            message = "CONNECTOR_TLS_CERTIFICATE and CONNECTOR_TLS_KEY are set together"
            raise ValueError(message)
        return self

    @property
    def tls(self) -> TlsListener | None:
        """Return the port and certificate of HTTPS; None where it is not served."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsListener(self.tls_port, self.tls_certificate, self.tls_key)
