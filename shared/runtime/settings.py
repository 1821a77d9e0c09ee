"""Reads the settings that every process shares from the environment and from secret files."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from shared.runtime.connection_bounds import ConnectionBounds, Network

DEFAULT_SECRETS_DIRECTORY = "/run/secrets"


def _networks(text: str | None) -> tuple[Network, ...]:
    """Return the networks of a comma-separated list; a single address is a network of one.

    :raises ValueError: a name in the list is no network and no address.
    """
    names = (name.strip() for name in (text or "").split(","))
    return tuple(ip_network(name) for name in names if name)


def _listed_networks(text: str | None) -> str | None:
    """Return the list unchanged, once it is checked."""
    _networks(text)
    return text


class RuntimeSettings(BaseSettings):
    """Base of a service's settings; subclasses set ``env_prefix`` and add their own fields.

    A value comes from the constructor, else from the environment (``{PREFIX}{FIELD}``), else from a
    file named like the variable in the secrets directory (``/run/secrets``, or what
    ``SECRETS_DIRECTORY`` names), so that passwords need not be in the environment. Names are
    case-insensitive.
    """

    # ``hide_input_in_errors``: the input of a fault may be a password.
    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = "0.0.0.0"  # noqa: S104  a service in a container serves all its interfaces  # nosec B104
    port: int = 8080
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    # What connections may cost: ``ConnectionBounds`` says it of each.
    http_connections: Annotated[int, Field(ge=1)] = 800
    http_address_connections: Annotated[int, Field(ge=1)] = 200
    http_head_bytes: Annotated[int, Field(ge=1024)] = 65_536
    http_head_seconds: Annotated[float, Field(gt=0)] = 20.0
    http_first_byte_seconds: Annotated[float, Field(gt=0)] = 5.0
    http_stall_seconds: Annotated[float, Field(gt=0)] = 30.0
    http_bytes_per_second: Annotated[int, Field(ge=0)] = 1024
    # Addresses and networks, by commas.
    trusted_proxies: Annotated[str | None, AfterValidator(_listed_networks)] = None

    @property
    def connection_bounds(self) -> ConnectionBounds:
        """Return the bounds of this process's connections."""
        return ConnectionBounds(
            connections=self.http_connections,
            address_connections=self.http_address_connections,
            trusted_proxies=_networks(self.trusted_proxies),
            head_bytes=self.http_head_bytes,
            head_seconds=self.http_head_seconds,
            first_byte_seconds=self.http_first_byte_seconds,
            stall_seconds=self.http_stall_seconds,
            bytes_per_second=self.http_bytes_per_second,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  no .env files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  replaced by our own
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read constructor, environment and secret files, in this order of precedence."""
        name = os.environ.get("SECRETS_DIRECTORY", DEFAULT_SECRETS_DIRECTORY)
        directory = Path(name)
        # Outside of a container there is no such folder, and the source would warn of that.
        if not directory.is_dir():
            return (init_settings, env_settings)
        secrets = SecretsSettingsSource(settings_cls, secrets_dir=directory)
        return (init_settings, env_settings, secrets)
