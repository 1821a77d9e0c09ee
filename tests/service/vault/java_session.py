"""The vendor's Java client with a session in a started Vault, and its criterion of success."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest

from local.polling import answers_within
from shared.vault.assembly.vault import Vault
from tests.service.vault.java_client import (
    FORM,
    JSON,
    Integer,
    JavaClient,
    Types,
    form,
    misfits,
)
from tests.service.vault.java_models import ERRORS, JOB
from tests.service.vault.over_tls import over_tls
from tests.service.vault.served import PASSWORD, USERNAMES, Answer, Api


@pytest.fixture(scope="module")
async def client(
    vault: Vault, api: Api, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[JavaClient]:
    """The client, signed in by name and password to the started Vault's second port, which speaks TLS."""
    folder = tmp_path_factory.mktemp("tls")
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        over_tls(vault, folder) as port,
        aiohttp.ClientSession(timeout=timeout) as http,
    ):
        trust = ssl.create_default_context(cafile=str(port.ca_file))
        made = JavaClient(http, trust, port.dns)
        fields = form(username=USERNAMES["admin"], password=PASSWORD, vaultDNS=port.dns)
        answer = await made.send(
            "POST", "/auth", fields, Content_Type=FORM, Accept=JSON
        )
        types: Types = {
            **dict.fromkeys(("userId", "vaultId", "vaultIds[].id"), Integer),
            **dict.fromkeys(("sessionId", "vaultIds[].name", "vaultIds[].url"), str),
        }
        assert misfits(answer.body, types) == []
        # The session is refused by the client unless this is the Vault that it asked for.
        (own,) = [
            each
            for each in answer.body["vaultIds"]
            if each["id"] == answer.body["vaultId"]
        ]
        assert own["url"] == f"https://{port.dns}/api"
        made.session_id = answer.body["sessionId"]
        yield made


def succeeded(answer: Answer, *types: Types) -> Answer:
    """Exactly SUCCESS, no list of errors, and members of the types declared."""
    assert answer.http_status == 200
    assert (answer.status, answer.body.get("errors")) == ("SUCCESS", None), answer.text
    assert [
        misfit for table in (ERRORS, *types) for misfit in misfits(answer.body, table)
    ] == []
    return answer


async def finished(client: JavaClient, job_id: int) -> str:
    """The status of a job that has ended."""

    async def running() -> str | None:
        answer = succeeded(await client.send("GET", f"/services/jobs/{job_id}"), JOB)
        return (
            None
            if answer.data["status"] not in ("QUEUED", "RUNNING")
            else str(answer.data["status"])
        )

    assert await answers_within(60, running) is None
    return str((await client.send("GET", f"/services/jobs/{job_id}")).data["status"])
