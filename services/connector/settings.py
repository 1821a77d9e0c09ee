"""The connector's settings, from the environment and from secret files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import RuntimeSettings


class VaultAccess(BaseModel):
    """One Vault: its address, the integration user, and its virtual host at the broker."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=40)]
    url: str
    username: str
    password: SecretStr
    amqp_url: SecretStr


class ConnectorSettings(RuntimeSettings):
    """Settings with the prefix ``CONNECTOR_``; ``CONNECTOR_VAULTS`` is a JSON list of Vaults.

    Times are in seconds. ``concurrency`` is how many work units are in flight, ``max_batch`` how many
    messages are looked at together. ``ca_file`` has
    authorities that are trusted beside the system's, for receivers of External connections.
    """

    model_config = SettingsConfigDict(env_prefix="CONNECTOR_", extra="ignore", frozen=True, hide_input_in_errors=True)

    port: int = 8090
    vaults: Annotated[tuple[VaultAccess, ...], Field(min_length=1)]
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    prefetch: Annotated[int, Field(ge=1, le=2000)] = 200
    max_batch: Annotated[int, Field(ge=1, le=500)] = 100
    delivery_attempts: Annotated[int, Field(ge=1, le=20)] = 5
    delivery_first_pause: Annotated[float, Field(gt=0, le=60)] = 0.2
    queue_check_interval: Annotated[float, Field(gt=0, le=300)] = 5.0
    call_timeout: Annotated[float, Field(gt=0, le=300)] = 30.0
    call_concurrency: Annotated[int, Field(ge=1, le=100)] = 16
    ca_file: Path | None = None
    run_overlap: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    stop_grace: Annotated[float, Field(gt=0, le=120)] = 20.0
