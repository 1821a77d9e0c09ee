"""Reads the settings that every process shares from the environment and from secret files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

DEFAULT_SECRETS_DIRECTORY = "/run/secrets"


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
