"""Serves what a rule of a connection may read: objects and fields of the source Vault, and records to preview with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.connector.asking.answers import Answers, success
from services.connector.asking.bodies import read_question
from services.connector.asking.caller_reads import CallerSessions
from services.connector.asking.described import described
from services.connector.asking.traffic import traffic
from services.connector.vaults.vaults import ConnectedVault, Vaults, passing_refusals
from shared.client.results import Row, rows_of

MAX_FOUND = 20


class SourceSearch(BaseModel):
    """Words of the names of records to preview with; empty for the latest ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    q: Annotated[str, Field(max_length=100)] = ""


def router(answers: Answers) -> APIRouter:
    """Return the routes ``GET /sources/…``."""
    routes = APIRouter(tags=["preview"])

    @routes.get(
        "/sources/{vault}/{connection}/objects",
        openapi_extra=described(),
    )
    async def objects(request: Request, vault: str, connection: str) -> Response:
        """Return names and labels of the source Vault's objects."""

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            with passing_refusals():
                scope = await traffic(vaults, own, connection=connection)
                found = await scope.source.objects()
            return success([_labelled(each) for each in found])

        return await answers.respond(request, vault, work)

    @routes.get(
        "/sources/{vault}/{connection}/objects/{object}",
        openapi_extra=described(),
    )
    async def one_object(
        request: Request, vault: str, connection: str, object: str
    ) -> Response:
        """Return the fields of an object of the source Vault: name, label, type, and the object that it refers to."""

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            with passing_refusals():
                scope = await traffic(vaults, own, connection=connection)
                found = await scope.source.object_metadata(object)
            fields = rows_of(found.get("fields"), "fields")
            data = {**_labelled(found), "fields": [_field(each) for each in fields]}
            return success(data)

        return await answers.respond(request, vault, work)

    _add_records(routes, answers)
    return routes


def _add_records(routes: APIRouter, answers: Answers) -> None:
    """Add the route of records to preview with."""

    # A POST, though it only reads: the words may be a person's name, and addresses are logged.
    @routes.post(
        "/sources/{vault}/{connection}/records/{object}",
        openapi_extra=described(SourceSearch, reads_source=True),
    )
    async def records(
        request: Request, vault: str, connection: str, object: str
    ) -> Response:
        """Return up to 20 records of an object of the source Vault, the latest first.

        With ``q``, only records that contain its words.
        """

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            search = await read_question(request, SourceSearch)
            caller = CallerSessions.of(request)
            with passing_refusals():
                scope = await traffic(vaults, own, connection=connection)
                source = caller.source(scope.source)
                # The Vault's own spelling: the name becomes part of a statement.
                found = await scope.source.object_metadata(object)
                result = await source.query(_latest(str(found["name"]), search.q))
            return success(
                [
                    {"id": row.get("id"), "name": row.get("name__v")}
                    for row in result.rows
                ]
            )

        return await answers.respond(request, vault, work)


def _latest(object: str, words: str) -> str:
    """Return the query for an object's latest records; with ``words``, of those with all beginnings in the name."""
    # Only letters and digits of the words: quotes and operators of the search mean nothing to who types a name.
    terms = "".join(each if each.isalnum() else " " for each in words).split()
    find = (
        f" FIND ('{' AND '.join(f'{term}*' for term in terms)}' SCOPE name__v)"
        if terms
        else ""
    )
    order = f"ORDER BY modified_date__v DESC MAXROWS {MAX_FOUND}"
    return f"SELECT id, name__v FROM {object}{find} {order}"  # noqa: S608  VQL of names and words


def _labelled(row: Mapping[str, object]) -> dict[str, object]:
    return {"name": row.get("name"), "label": row.get("label")}


def _field(row: Row) -> dict[str, object]:
    referred = row.get("object")
    name = referred.get("name") if isinstance(referred, Mapping) else None
    return {**_labelled(row), "type": row.get("type"), "object": name}
