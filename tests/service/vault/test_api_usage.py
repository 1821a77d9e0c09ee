"""The API usage log: its entry of a call, in both formats, its readers and its days."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.security.api_usage import COLUMNS
from tests.service.vault.documenting import download
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api

LOG = "/logs/api_usage"


def today() -> str:
    return datetime.now(UTC).date().isoformat()


async def text(api: Api, log_format: str = "csv") -> str:
    """Return the log of today."""
    path = f"{LOG}?date={today()}&log_format={log_format}"
    status, headers, body = await download(api, path)
    assert status == 200, body
    assert headers["Content-Type"] == "application/octet-stream;charset=UTF-8"
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (name,) = archive.namelist()
        return archive.read(name).decode()


async def calls_of(api: Api, client_id: str) -> list[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(await text(api)))
    return [row for row in rows if row["client_id"] == client_id]


async def test_a_call_is_logged_with_the_documented_columns(
    admin: Api, user: Api
) -> None:
    named = {"X-VaultAPI-ClientID": "usage-1", "X-VaultAPI-ReferenceId": "batch 7"}
    path = "/services/file_staging/items/u1/Meier,%20Anna.pdf"
    failed = await user.get(path, headers=named)
    done = await user.get("/vobjects/product__v", headers=named)
    first, second = await calls_of(admin, "usage-1")
    assert tuple(first) == COLUMNS
    assert first["execution_id"] == failed.headers["X-VaultAPI-ExecutionId"]
    assert first["api_response_status"] == "FAILURE"
    assert first["api_response_error_type"] == failed.error
    # The path of a file, and what a message says, may be somebody's.
    assert "Meier" not in str(first) and first["endpoint"].startswith("/api/v25.1/")
    assert second["username"] == "user@vault.example"
    assert second["user_id"] == done.headers["X-VaultAPI-UserId"]
    assert second["session_id"] == done.headers["X-VaultAPI-TruncatedSessionId"]
    assert (second["http_method"], second["http_response_status"]) == ("GET", "200")
    assert second["endpoint"] == "/api/v25.1/vobjects/{object_name}"
    assert second["api_resource"] == "product__v"
    assert second["api_version"] == "v25.1"
    assert second["api_response_error_type"] == ""
    assert second["reference_id"] == "batch 7"
    left = done.headers["X-VaultAPI-BurstLimitRemaining"]
    assert second["burst_limit_remaining"] == left
    assert second["duration"].isdigit()
    lines = (await text(admin, "logfile")).splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert all(len(line.split("\t")) == len(COLUMNS) for line in lines)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, "PARAMETER_REQUIRED"),
        ({"date": "yesterday"}, "INVALID_DATA"),
        ({"date": "2020-01-31"}, "INVALID_DATA"),
        ({"date": "9999-12-31"}, "INVALID_DATA"),
        ({"date": "{today}", "log_format": "xml"}, "INVALID_DATA"),
    ],
)
async def test_what_a_log_is_asked_for(
    admin: Api, parameters: dict[str, str], error: str
) -> None:
    sent = {name: each.format(today=today()) for name, each in parameters.items()}
    assert (await admin.get(LOG, params=sent)).error == error


async def test_logs_are_for_who_reads_the_audit_trail(admin: Api) -> None:
    other = await with_profile(admin, set(), {"product__v": "r"})
    refused = await other.get(LOG, params={"date": today()})
    assert refused.error == "INSUFFICIENT_ACCESS"


async def test_what_is_kept_has_bounds(vault: Vault, admin: Api, user: Api) -> None:
    named = {"X-VaultAPI-ClientID": "usage-2"}
    await user.get("/vobjects/product__v", headers=named)
    (row,) = await calls_of(admin, "usage-2")
    assert row["endpoint"]
    old = datetime.now(UTC).date() - timedelta(days=31)
    async with vault.database.connection() as connection:
        await connection.execute(
            "INSERT INTO platform.api_usage_batch (day, calls, content) VALUES ($1, 1, '')",
            old,
        )
        await vault.api_usage.purge()
        days = await connection.fetch(
            "SELECT DISTINCT day FROM platform.api_usage_batch"
        )
    assert old not in {each["day"] for each in days}
