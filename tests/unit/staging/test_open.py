"""Which store the settings mean."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from shared.vault.assembly.open_file_store import open_store
from shared.vault.files.local_store import LocalStore
from shared.vault.files.s3_store import S3Store
from tests.service.vault.served import settings
from tests.unit.staging.stores import chunks, content, s3_server


async def test_a_folder_of_the_vaults_own(tmp_path: Path) -> None:
    store = open_store(
        settings(
            "postgresql://nobody@127.0.0.1:1/none",
            "amqp://nobody@127.0.0.1:1/",
            tmp_path,
        ),
        "one",
    )
    assert isinstance(store, LocalStore)
    assert not list(tmp_path.iterdir())
    await store.put("top/file", chunks(b"x"))
    assert (tmp_path / "one" / "top" / "file").read_bytes() == b"x"


async def test_a_bucket_when_one_is_set(tmp_path: Path) -> None:
    with s3_server() as endpoint:
        changes = {
            "staging_s3_bucket": "files",
            "staging_s3_endpoint": endpoint,
            "staging_s3_region": "us-east-1",
            "staging_s3_access_key": "a test's key",
            "staging_s3_secret_key": SecretStr("a test's secret"),
        }
        base = settings(
            "postgresql://nobody@127.0.0.1:1/none",
            "amqp://nobody@127.0.0.1:1/",
            tmp_path,
        )
        store = open_store(base.model_copy(update=changes), "one")
        assert isinstance(store, S3Store)
        client = await store._client()
        await client.create_bucket(Bucket="files")
        await store.put("top/file", chunks(b"x"))
        assert await content(store, "top/file") == b"x"
        await store.close()
    assert not list(tmp_path.iterdir())
