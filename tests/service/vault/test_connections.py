"""Connections: two Vaults establish one by signed files; limits on its records and on the remote Vault."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.servers import PostgresServer, RabbitServer
from services.crm_vault.definition import CRM_VAULT
from shared.spark.envelope import Envelope, Message
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.connections.connection_rules import DomainType
from shared.vault.connections.handshake import Handshake
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.served import Answer, Api, served, settings, started
from tests.service.vault.vault_databases import vault_database

OBJECT = "/vobjects/connection__sys"
ACTION = "Objectlifecyclestateuseraction.connection__sys"
PENDING, APPROVAL, ACTIVE, INACTIVE = (
    f"{name}_state__sys"
    for name in ("pending", "pending_approval", "active", "inactive")
)
NOT_ALLOWED, INVALID = "OPERATION_NOT_ALLOWED", "INVALID_DATA"
ENDED = "INVALID_SESSION_ID"
MEDICAL_ID, CRM_ID = "10101", "20202"
INTEGRATION_USER, BUSINESS_USER = 3, 4
_numbers = count(1)


@pytest.fixture(scope="module")
async def crm_vault(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Vault]:
    """The other Vault, which is a sandbox."""
    async with (
        vault_database(postgres_server, CRM_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        given = settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("crm"))
        yield Vault(
            CRM_VAULT,
            given.model_copy(
                update={"domain_type": DomainType.SANDBOX, "host_name": "crm.example"}
            ),
        )


@pytest.fixture(scope="module")
async def crm(crm_vault: Vault) -> AsyncIterator[Api]:
    """The other Vault's API as its System Admin calls it."""
    async with served(create_app(crm_vault)) as client:
        await started(crm_vault)
        yield await client.signed_in("admin")


@dataclass(frozen=True)
class End:
    """A connection in one of the Vaults."""

    api: Api
    name: str
    id: str

    async def record(self) -> dict[str, Any]:
        row: dict[str, Any] = (await self.api.get(f"{OBJECT}/{self.id}")).data
        return row

    async def state(self) -> str:
        return str((await self.record())["state__v"][0])

    async def file(self) -> Answer:
        return await self.api.get(f"/services/connections/{self.name}/file")

    async def upload(self, content: object, **fields: str) -> Answer:
        return await self.api.post(
            "/services/connections/actions/upload",
            data={"file": orjson.dumps(content).decode(), **fields},
        )

    async def act(self, state: str, action: str) -> Answer:
        return await self.api.post(
            f"{OBJECT}/{self.id}/actions/{ACTION}.{state}.{action}"
        )

    async def update(self, **fields: Any) -> Answer:
        return await self.api.put(OBJECT, json=[{"id": self.id, **fields}])


async def end(api: Api, name: str, **fields: Any) -> End:
    answer = await api.post(
        OBJECT, json=[{"name__v": name, "api_name__sys": name, **fields}]
    )
    return End(api, name, answer.ids[0])


async def pair(
    medical: Api,
    crm: Api,
    medical_remote: str | None = CRM_ID,
    crm_remote: str | None = MEDICAL_ID,
) -> tuple[End, End]:
    """A new Pending connection in both Vaults; the CRM one issues the file."""
    name = f"pair_{next(_numbers)}__c"
    return (
        await end(medical, name, remote_vault_id__sys=medical_remote),
        await end(crm, name, remote_vault_id__sys=crm_remote),
    )


async def established(issuer: End, other: End) -> None:
    uploaded = await other.upload((await issuer.file()).body)
    assert uploaded.data["state"] == ACTIVE, uploaded.text
    assert (await issuer.upload(uploaded.body)).status == "SUCCESS"


async def test_the_standard_connection_is_pending_and_system_managed(crm: Api) -> None:
    text = "SELECT state__v, system_managed__sys, id FROM connection__sys WHERE api_name__sys = 'medical_crm__v'"
    (row,) = (await crm.query(text)).data
    assert (row["state__v"], row["system_managed__sys"]) == (PENDING, True)
    renamed = await crm.put(
        OBJECT, json=[{"id": row["id"], "api_name__sys": "other__c"}]
    )
    assert renamed.data[0]["errors"][0]["type"] == NOT_ALLOWED
    deleted = await crm.delete(OBJECT, json=[{"id": row["id"]}])
    assert deleted.data[0]["errors"][0]["type"] == NOT_ALLOWED


async def test_a_named_remote_vault_needs_no_approval(admin: Api, crm: Api) -> None:
    other, issuer = await pair(admin, crm)
    file = await issuer.file()
    assert (await issuer.state(), await other.state()) == (PENDING, PENDING)
    uploaded = await other.upload(file.data)
    assert (uploaded.data["connection"], uploaded.data["state"]) == (other.name, ACTIVE)
    assert await issuer.state() == PENDING
    completed = await issuer.upload(uploaded.data["acceptance"])
    assert completed.data == {"connection": issuer.name, "state": ACTIVE}
    ours, theirs = await other.record(), await issuer.record()
    assert ours["remote_vault_name__sys"] == "Vault CRM"
    assert (ours["remote_dns__sys"], ours["remote_connection__sys"]) == (
        "crm.example",
        issuer.name,
    )
    assert (ours["domain_type__sys"], ours["remote_domain_type__sys"]) == (
        ["production__sys"],
        ["sandbox__sys"],
    )
    assert (theirs["domain_type__sys"], theirs["remote_domain_type__sys"]) == (
        ["sandbox__sys"],
        ["production__sys"],
    )
    assert theirs["remote_vault_name__sys"] == "Medical Vault"


@pytest.mark.parametrize(
    ("action", "state", "remote"),
    [("approve__sys", ACTIVE, MEDICAL_ID), ("reject__sys", PENDING, None)],
)
async def test_an_unnamed_remote_vault_needs_approval(
    admin: Api, crm: Api, action: str, state: str, remote: str | None
) -> None:
    other, issuer = await pair(admin, crm, None, None)
    uploaded = await other.upload((await issuer.file()).data)
    assert (await other.record())["remote_vault_id__sys"] == CRM_ID
    completed = await issuer.upload(uploaded.data["acceptance"])
    assert completed.data["state"] == APPROVAL
    assert (await issuer.record())["remote_vault_name__sys"] == "Medical Vault"
    acted = await issuer.act(APPROVAL, action)
    assert acted.status == "SUCCESS", acted.text
    row = await issuer.record()
    assert (row["state__v"], row["remote_vault_id__sys"]) == ([state], remote)
    assert row["remote_vault_name__sys"] == ("Medical Vault" if remote else None)


async def test_a_file_works_once_and_in_the_right_vault_only(
    admin: Api, crm: Api
) -> None:
    other, issuer = await pair(admin, crm)
    file = (await issuer.file()).data
    assert (await issuer.upload(file)).error == NOT_ALLOWED  # it is for the other one
    uploaded = await other.upload(file)
    acceptance = uploaded.data["acceptance"]
    assert (await other.upload(acceptance)).error == NOT_ALLOWED
    assert (await other.upload(file)).error == NOT_ALLOWED
    second, _ = await pair(admin, crm)
    again = await second.upload(file, connection=second.name)
    assert (again.error, "used" in again.message) == (NOT_ALLOWED, True)
    assert (await issuer.upload(acceptance)).status == "SUCCESS"
    assert (await issuer.upload(acceptance)).error == NOT_ALLOWED
    assert (await issuer.file()).error == NOT_ALLOWED  # Active


async def test_two_uploads_of_one_file_at_once(admin: Api, crm: Api) -> None:
    other, issuer = await pair(admin, crm)
    file = (await issuer.file()).data
    answers = await asyncio.gather(*(other.upload(file) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == ["FAILURE"] * 3 + ["SUCCESS"]


async def test_a_changed_file_is_refused(admin: Api, crm: Api) -> None:
    other, issuer = await pair(admin, crm)
    file = (await issuer.file()).data
    changed = await other.upload(
        {**file, "document": {**file["document"], "vault_id": 30303}}
    )
    assert (changed.error, "changed" in changed.message) == (INVALID, True)
    assert (await other.upload({})).error == INVALID
    assert await other.state() == PENDING


async def test_the_restriction_of_either_side_counts(admin: Api, crm: Api) -> None:
    other, issuer = await pair(admin, crm, CRM_ID, "30303")
    assert (await other.upload((await issuer.file()).data)).error == NOT_ALLOWED
    other, issuer = await pair(admin, crm, "30303", MEDICAL_ID)
    assert (await other.upload((await issuer.file()).data)).error == NOT_ALLOWED


async def test_a_file_expires(admin: Api, crm: Api, crm_vault: Vault) -> None:
    other, issuer = await pair(admin, crm)
    identity = replace(crm_vault.identity, file_days=0)
    signing = crm_vault.connections.signing
    short = Handshake(
        crm_vault.database, crm_vault.components, crm_vault.records, signing, identity
    )
    answer = await other.upload(orjson.loads(await short.file(SYSTEM, issuer.name)))
    assert (answer.error, "expired" in answer.message) == (NOT_ALLOWED, True)


async def test_each_side_inactivates_for_itself_and_establishes_again(
    admin: Api, crm: Api
) -> None:
    other, issuer = await pair(admin, crm)
    await established(issuer, other)
    assert (await other.act(ACTIVE, "inactivate__sys")).status == "SUCCESS"
    assert (await other.state(), await issuer.state()) == (INACTIVE, ACTIVE)
    assert (await other.act(INACTIVE, "reactivate__sys")).status == "SUCCESS"
    assert await other.state() == ACTIVE
    for side in (other, issuer):
        await side.act(ACTIVE, "inactivate__sys")
        assert (await side.act(INACTIVE, "establish_again__sys")).status == "SUCCESS"
        row = await side.record()
        assert (row["state__v"], row["remote_vault_name__sys"]) == ([PENDING], None)
    await established(issuer, other)


async def test_another_remote_vault_id_means_establishing_again(
    admin: Api, crm: Api
) -> None:
    other, issuer = await pair(admin, crm)
    await established(issuer, other)
    await other.update(description__sys="unchanged otherwise")
    assert await other.state() == ACTIVE
    await other.update(remote_vault_id__sys="30303")
    assert await other.state() == PENDING


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"api_name__sys": "With-Dash"}, INVALID),
        ({"remote_vault_id__sys": "abc"}, INVALID),
        ({"url__sys": "https://elsewhere.example"}, NOT_ALLOWED),
        ({"remote_vault_name__sys": "Mine"}, INVALID),
        ({"system_managed__sys": True}, INVALID),
        ({"state__v": ACTIVE}, INVALID),
        ({"object_type__v.api_name__v": "base__v"}, INVALID),
    ],
)
async def test_what_a_record_may_not_hold(
    admin: Api, fields: dict[str, Any], error: str
) -> None:
    row = {"name__v": "x", "api_name__sys": f"held_{next(_numbers)}__c"} | fields
    answer = await admin.post(OBJECT, json=[row])
    assert answer.data[0]["errors"][0]["type"] == error


async def test_the_type_of_a_connection_is_its_own_for_good(admin: Api) -> None:
    local = await end(
        admin,
        f"typed_{next(_numbers)}__c",
        **{"object_type__v.api_name__v": "local__sys"},
    )
    changed = await local.update(**{"object_type__v.api_name__v": "external__sys"})
    assert changed.data[0]["errors"][0]["type"] == NOT_ALLOWED
    answer = await admin.post(
        f"{OBJECT}/actions/changetype",
        json=[{"id": local.id, "object_type__v.api_name__v": "external__sys"}],
    )
    assert answer.data[0]["errors"][0]["type"] == NOT_ALLOWED
    assert (await local.file()).error == NOT_ALLOWED
    assert (await local.act(PENDING, "activate__sys")).status == "SUCCESS"
    assert await local.state() == ACTIVE


async def test_an_external_connection_needs_an_allowed_address(
    admin: Api, crm: Api
) -> None:
    other, _ = await pair(admin, crm)
    assert (await other.act(PENDING, "activate__sys")).error == NOT_ALLOWED
    external = await end(
        admin,
        f"external_{next(_numbers)}__c",
        **{"object_type__v.api_name__v": "external__sys"},
    )
    assert (await external.act(PENDING, "activate__sys")).error == "PARAMETER_REQUIRED"
    refused = await external.update(url__sys="https://partner.example.evil/in")
    assert refused.data[0]["errors"][0]["type"] == NOT_ALLOWED
    assert (await external.update(url__sys="https://partner.example/in")).data[0][
        "responseStatus"
    ] == "SUCCESS"
    assert (await external.act(PENDING, "activate__sys")).status == "SUCCESS"


async def test_the_certificate_is_public_and_the_key_is_nowhere(
    api: Api, admin: Api, crm: Api
) -> None:
    answer = await api.get("/services/certificate/00001")
    assert (
        x509.load_pem_x509_certificate(answer.text.encode()).subject.rfc4514_string()
        == "CN=Vault 10101"
    )
    assert (await api.get("/services/certificate/00002")).error == INVALID
    _, issuer = await pair(admin, crm)
    assert "PRIVATE" not in answer.text + (await issuer.file()).text


async def session_of(end: End, remote: Api) -> Answer:
    return await remote.post(f"/services/connections/{end.name}/session")


async def test_the_remote_vault_reads_as_the_authorized_connection_user(
    admin: Api, integration: Api, user: Api, crm: Api
) -> None:
    other, issuer = await pair(admin, crm)
    assert (await session_of(other, integration)).error == NOT_ALLOWED  # Pending
    await established(issuer, other)
    assert (await session_of(other, user)).error == "INSUFFICIENT_ACCESS"
    own = await session_of(other, integration)
    assert (own.body["userId"], own.body["vaultId"]) == (
        INTEGRATION_USER,
        int(MEDICAL_ID),
    )
    await other.update(authorized_connection_user__sys=str(BUSINESS_USER))
    assert (
        await replace(admin, session_id=own.body["sessionId"]).get("/objects/users/me")
    ).error == ENDED
    opened = await session_of(other, integration)
    assert opened.body["userId"] == BUSINESS_USER
    remote = replace(admin, session_id=opened.body["sessionId"])
    assert (await remote.query("SELECT id FROM person__sys")).status == "SUCCESS"
    assert (
        await integration.query("SELECT id FROM exception_message__sys")
    ).status == "SUCCESS"
    assert (
        await remote.query("SELECT id FROM exception_message__sys")
    ).status == "FAILURE"
    token = await remote.post(
        f"/objects/users/{BUSINESS_USER}/api_access_token__sys",
        data={"name__v": "mine"},
    )
    assert token.error == "INSUFFICIENT_ACCESS"
    await other.act(ACTIVE, "inactivate__sys")
    assert (await remote.query("SELECT id FROM person__sys")).error == ENDED


async def test_no_system_admin_is_an_authorized_connection_user(
    admin: Api, integration: Api, crm: Api
) -> None:
    other, issuer = await pair(admin, crm)
    await established(issuer, other)
    await other.update(authorized_connection_user__sys="2")
    assert (await session_of(other, integration)).error == NOT_ALLOWED
    assert (await session_of(other, admin)).error == NOT_ALLOWED
    nothing = await integration.post("/services/connections/nothing__c/session")
    assert nothing.error == INVALID


async def test_a_sandbox_vault_may_only_read_in_a_production_vault(
    admin: Api, integration: Api, crm: Api
) -> None:
    other, issuer = await pair(admin, crm)
    await established(issuer, other)
    sandbox = replace(
        admin, session_id=(await session_of(other, integration)).body["sessionId"]
    )
    assert (await sandbox.query("SELECT id FROM person__sys")).status == "SUCCESS"
    row = {"name__v": "Written from a sandbox"}
    assert (await integration.post("/vobjects/product__v", json=[row])).data[0][
        "responseStatus"
    ] == "SUCCESS"
    assert (
        await sandbox.post("/vobjects/product__v", json=[row])
    ).error == "INSUFFICIENT_ACCESS"
    back = await crm.post(f"/services/connections/{issuer.name}/session")
    assert back.error == NOT_ALLOWED  # an administrator
    production = await crm.signed_in("integration")
    opened = await session_of(issuer, production)
    writing = replace(production, session_id=opened.body["sessionId"])
    assert (await writing.post("/vobjects/product__v", json=[row])).data[0][
        "responseStatus"
    ] == "SUCCESS"


async def test_connections_are_for_those_who_manage_them(
    integration: Api, user: Api, admin: Api, crm: Api
) -> None:
    other, _ = await pair(admin, crm)
    for api in (integration, user):
        assert (
            await api.put(OBJECT, json=[{"id": other.id, "description__sys": "x"}])
        ).error == "INSUFFICIENT_ACCESS"
        for attempt in (
            replace(other, api=api).file(),
            replace(other, api=api).upload({}),
        ):
            assert (await attempt).error == "INSUFFICIENT_ACCESS"
        assert (
            await replace(other, api=api).act(PENDING, "activate__sys")
        ).error == "INSUFFICIENT_ACCESS"


async def test_messages_to_an_external_connection_are_signed(
    admin: Api, integration: Api, user: Api
) -> None:
    url = "https://partner.example/in?from=vault"
    name = f"external_{next(_numbers)}__c"
    external = await end(
        admin, name, url__sys=url, **{"object_type__v.api_name__v": "external__sys"}
    )
    path = f"/services/connections/{name}/signatures"
    now = datetime.now(UTC)
    envelope = Envelope(
        "Medical Vault",
        "localhost",
        "q__c",
        now,
        now,
        1,
        "a-message",
        Message({}, ("V1",)),
    )
    body = {"messages": [envelope.encode().decode()]}
    assert (await integration.post(path, json=body)).error == NOT_ALLOWED  # Pending
    assert (await external.act(PENDING, "activate__sys")).status == "SUCCESS"
    assert (await user.post(path, json=body)).error == "INSUFFICIENT_ACCESS"
    assert (
        await integration.post(path, json={"messages": ["anything else"]})
    ).error == INVALID
    assert (await integration.post(path, json={"messages": "text"})).error == INVALID
    answer = await integration.post(path, json=body)
    (headers,) = answer.data["headers"]
    assert (answer.data["url"], headers["X-VaultAPISignature-URL"]) == (url, url)
    assert headers["X-VaultAPISignature-RequestId"] == "a-message"
    assert headers["X-VaultAPISignature-VaultId"] == MEDICAL_ID
    pem = await admin.get(
        f"/services/certificate/{headers['X-VaultAPISignature-CertificateId']}"
    )
    key = x509.load_pem_x509_certificate(pem.text.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = base64.b64decode(headers["X-VaultAPI-SignatureV2"])
    lines = sorted(
        f"{k.lower()}:{v}" for k, v in headers.items() if k != "X-VaultAPI-SignatureV2"
    )
    text = "\n".join([*lines, body["messages"][0], url])
    key.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
