"""Serves the address at which accounts of Vault CRM are looked up."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.connector.asking.access import LOOK_UP_ACCOUNTS
from services.connector.asking.answers import Answers, success
from services.connector.asking.bodies import read_question
from services.connector.asking.caller_reads import CallerSessions
from services.connector.asking.described import described
from services.connector.asking.traffic import traffic
from services.connector.crm_lookup.account_search import AccountSearch
from services.connector.crm_lookup.found_accounts import search
from services.connector.vaults.vaults import ConnectedVault, Vaults, passing_refusals


def router(answers: Answers) -> APIRouter:
    """Return the route ``POST /crm-lookups/{vault}/{connection}``."""
    routes = APIRouter(tags=["CRM Lookup"])

    # A POST, though it only reads: what is searched for belongs in the body, since addresses are logged.
    @routes.post(
        "/crm-lookups/{vault}/{connection}",
        openapi_extra=described(AccountSearch, reads_source=True),
    )
    async def crm_lookup(request: Request, vault: str, connection: str) -> Response:
        """Find the accounts of Vault CRM that the connection's agreements allow to be shown."""

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            criteria = await read_question(request, AccountSearch)
            with passing_refusals():
                over = await traffic(vaults, own, connection=connection)
                found = await search(criteria, over, CallerSessions.of(request))
            data = {"accounts": found.accounts, "complete": found.complete}
            return success(data)

        return await answers.respond(request, vault, work, LOOK_UP_ACCOUNTS)

    return routes
