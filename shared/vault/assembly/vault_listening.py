"""Reads the settings that the parent of a Vault's worker processes needs: ports, certificate, number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import RuntimeSettings


class VaultListening(RuntimeSettings):
    """The addresses of a Vault, and the number of its processes behind them."""

    model_config = SettingsConfigDict(env_prefix="VAULT_")

    # Processes behind one port; each has connections, jobs and memory of its own.
    workers: Annotated[int, Field(ge=1, le=64)] = 1

    # PEM, with the chain; HTTPS is served beside HTTP when set.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_port: int = 8443

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the port of HTTP, and that of HTTPS if it is served."""
        if self.tls_key is None:
            return (self.port,)
        return (self.port, self.tls_port)
