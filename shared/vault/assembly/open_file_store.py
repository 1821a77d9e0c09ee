"""Opens the store for a Vault's files that its settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.files.local_store import LocalStore
from shared.vault.files.s3_store import Bucket, S3Store

if TYPE_CHECKING:
    from shared.vault.assembly.vault_settings import VaultSettings
    from shared.vault.files.file_store import FileStore


def open_store(settings: VaultSettings, vault_name: str) -> FileStore:
    """Return the store in the bucket of the settings, if set, else in the local folder."""
    # Neither is read or made before the first file: a process starts while its store is away.
    if settings.staging_s3_bucket is None:
        return LocalStore(settings.staging_folder / vault_name)
    secret = settings.staging_s3_secret_key
    bucket = Bucket(
        name=settings.staging_s3_bucket,
        endpoint=settings.staging_s3_endpoint,
        region=settings.staging_s3_region,
        access_key=settings.staging_s3_access_key,
        secret_key=None if secret is None else secret.get_secret_value(),
    )
    return S3Store(bucket)
