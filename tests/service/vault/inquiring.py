"""A Vault CRM for one module, and steps of its users to submit and transfer inquiries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from local.servers import PostgresServer, RabbitServer
from services.crm_vault.definition import CRM_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.objects import outcomes, record
from tests.service.vault.remote_end import establish
from tests.service.vault.served import Answer, Api, served, settings, started
from tests.service.vault.vault_databases import vault_database

OBJECT = "medical_inquiry__v"
INQUIRIES = f"/vobjects/{OBJECT}"
QUEUE = "/services/queues/crm_to_medical_outbound_queue__v"
SUBMIT = f"Objectlifecyclestateuseraction.{OBJECT}.saved_state__v.submit__v"
TRANSFER = (
    f"Objectlifecyclestateuseraction.{OBJECT}.submitted_state__v.transfer_to_medical__v"
)
LOCKED = "OPERATION_NOT_ALLOWED"
WHOLE = {
    "account__vr.external_id__v": "A-2001",
    "country__vr.country_code__v": "US",
    "inquiry_text__v": "?",
    "delivery_method__v": "email__v",
    "email__v": "reader@practice.example",
}
"""An inquiry that may be submitted."""


@dataclass(frozen=True, slots=True)
class Crm:
    admin: Api
    integration: Api
    rep: Api
    vault: Vault

    async def activate(self, status: str) -> None:
        row = {
            "integration_api_name__sys": "medical_inquiry_details__v",
            "status__v": status,
        }
        await self.admin.put(
            "/vobjects/integration__sys?idParam=integration_api_name__sys", json=[row]
        )

    async def submitted(self, number: int) -> list[str]:
        ids = (await self.rep.post(INQUIRIES, json=[WHOLE] * number)).ids
        answer = await self.submit(ids)
        assert outcomes(answer) == ["SUCCESS"] * number, answer.text
        return ids

    async def submit(self, ids: list[str]) -> Answer:
        path = f"{INQUIRIES}/actions/{SUBMIT}"
        return await self.rep.post(path, data={"ids": ",".join(ids)})

    async def transfer(self, ids: list[str]) -> list[str]:
        return outcomes(
            await self.rep.post(
                f"{INQUIRIES}/actions/{TRANSFER}", data={"ids": ",".join(ids)}
            )
        )

    async def succeed(self, record_id: str) -> None:
        row = {"id": record_id, "transfer_status__v": "success__v"}
        answer = await self.integration.put(INQUIRIES, json=[row])
        assert outcomes(answer) == ["SUCCESS"], answer.text

    async def statuses(self, ids: list[str]) -> list[object]:
        return [
            (await record(self.admin, OBJECT, i))["transfer_status__v"] for i in ids
        ]


@pytest.fixture(scope="module")
async def crm(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Crm]:
    async with (
        vault_database(postgres_server, CRM_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        vault = Vault(
            CRM_VAULT, settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("files"))
        )
        async with served(create_app(vault)) as api:
            await started(vault)
            roles = ("admin", "integration", "user")
            admin, integration, rep = [await api.signed_in(role) for role in roles]
            made = Crm(admin, integration, rep, vault)
            await establish(made.admin)
            country = {"country_code__v": "US", "name__v": "United States"}
            person = {"external_id__v": "A-2001", "name__v": "Maribel Quentaro"}
            for name, row in (("country__v", country), ("account__v", person)):
                answer = await made.admin.post(f"/vobjects/{name}", json=[row])
                assert outcomes(answer) == ["SUCCESS"], answer.text
            yield made
