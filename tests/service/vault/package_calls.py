"""Components of the packages of tests, and the calls that import and deploy a package."""

from __future__ import annotations

from typing import Any

import aiohttp

from local.polling import answers_within
from tests.service.vault.served import Api

SHADE = "RECREATE Picklist pkg_shade__c ( label('Shade'), Picklistentry dark__c ( label('Dark') ) );"
BOX = """RECREATE Object pkg_box__c ( label('Box'), prefix('ZPB'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field shade__c ( type('Picklist'), label('Shade'), picklist('Picklist.pkg_shade__c') ) );"""
BOXES = 'key__c,name__v,shade__c\r\nB1,First,dark__c\r\n"B2","Second",\r\n'
JAVA = {"javasdk/src/main/java/com/example/Action.java": "class Action {}"}


def form(content: bytes, name: str = "test.vpk") -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field(
        "file", content, filename=name, content_type="application/octet-stream"
    )
    return data


async def finished(api: Api, job_id: int) -> dict[str, Any]:
    """The status document of a job that has ended."""

    async def running() -> str | None:
        status = (await api.get(f"/services/jobs/{job_id}")).data["status"]
        return status if status in ("QUEUED", "RUNNING") else None

    assert await answers_within(60, running) is None
    found: dict[str, Any] = (await api.get(f"/services/jobs/{job_id}")).data
    return found


def artifact(job: dict[str, Any]) -> str:
    """The address of the job's result."""
    return next(
        (str(link["href"]) for link in job["links"] if link["rel"] == "artifacts"),
        "no artifact",
    )


async def imported(admin: Api, content: bytes) -> str:
    """The id of the package imported from this file."""
    answer = await admin.put("/services/package", data=form(content))
    assert answer.body["url"] == f"/api/v25.1/services/jobs/{answer.body['job_id']}", (
        answer.text
    )
    job = await finished(admin, answer.body["job_id"])
    assert job["status"] == "SUCCESS", job
    package = (await admin.get(artifact(job))).body["vaultPackage"]
    return str(package["id"])


async def deployed(
    admin: Api, package_id: str, method: str = "POST"
) -> tuple[str, dict[str, Any]]:
    """How the job ended, and the results that it points at."""
    answer = await admin.call(
        method, f"/vobject/vault_package__v/{package_id}/actions/deploy"
    )
    job = await finished(admin, answer.body["job_id"])
    return job["status"], (await admin.get(artifact(job))).body


async def package_status(admin: Api, package_id: str) -> list[str]:
    found: list[str] = (
        await admin.get(f"/vobjects/vault_package__v/{package_id}")
    ).data["package_status__v"]
    return found
