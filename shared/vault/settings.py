"""Settings of a Vault process, from the environment (``VAULT_…``) or from secret files."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import RuntimeSettings


class VaultSettings(RuntimeSettings):
    """One Vault process; the three sign-ins are created on start and their passwords kept as set here."""

    model_config = SettingsConfigDict(env_prefix="VAULT_")

    database_dsn: SecretStr
    amqp_url: SecretStr
    vault_id: int | None = None  # the definition's own when not set
    remote_vault_id: int | None = None  # of the Vault at the other end of medical_crm__v, likewise
    database_connections: int = 12
    load_example_data: bool = True

    admin_username: str = "admin@vault.example"
    admin_password: SecretStr
    integration_username: str = "integration@vault.example"
    integration_password: SecretStr
    business_username: str = "user@vault.example"
    business_password: SecretStr

    session_idle_minutes: int = 60
    host_name: str = "localhost"  # what envelopes say of this Vault's address
