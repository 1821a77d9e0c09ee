"""The address at which accounts of Vault CRM are looked up."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.connector.asking.access import LOOK_UP_ACCOUNTS
from services.connector.asking.answers import Answers, success
from services.connector.asking.bodies import read_question
from services.connector.asking.traffic import traffic
from services.connector.crm_lookup.account_search import AccountSearch
from services.connector.crm_lookup.found_accounts import search
from services.connector.vaults.faults import passing_refusals
from services.connector.vaults.vaults import ConnectedVault, Vaults


def router(answers: Answers) -> APIRouter:
    """The route. What is searched for is in the body: addresses are logged."""
    made = APIRouter(include_in_schema=False)

    @made.post("/crm-lookups/{vault}/{connection}")
    async def crm_lookup(request: Request, vault: str, connection: str) -> Response:
        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            asked = await read_question(request, AccountSearch)
            with passing_refusals():
                found = await search(
                    asked, await traffic(vaults, own, connection=connection)
                )
            return success({"accounts": found.accounts, "complete": found.complete})

        return await answers.respond(request, vault, work, LOOK_UP_ACCOUNTS)

    return made
