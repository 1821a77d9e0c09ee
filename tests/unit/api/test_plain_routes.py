"""Which calls are served without the framework's general treatment of parameters, and by which route."""

from __future__ import annotations

from typing import Annotated

import aiohttp
import orjson
import pytest
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import PlainTextResponse, Response
from yarl import URL

from shared.protocol.error_types import ErrorType
from shared.vault.api.plain_routes import PlainRoutes
from shared.vault.errors import VaultFault
from tests.unit.runtime.serving import serving

router = APIRouter(prefix="/api/{version:vault_version}")
other = APIRouter(prefix="/api/{version:vault_version}")


def shown(request: Request, *values: object) -> Response:
    # The framework's router leaves its mark in the scope of what it serves.
    by = "router" if "router" in request.scope else "plain"
    return PlainTextResponse(":".join(map(str, (by, *values))))


async def who(request: Request) -> str:
    return request.headers.get("authorization", "nobody")


async def admitted(name: Annotated[str, Depends(who)], object_name: str) -> str:
    if object_name == "shut__v":
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, "not for you")
    return name


Named = Annotated[str, Depends(admitted)]


@other.delete("/{object_name}/roles")
async def roles(request: Request, object_name: str) -> Response:
    return shown(request, "roles", object_name)


@router.get("/{object_name}/{record_id}")
async def record(
    request: Request, name: Named, object_name: str, record_id: str
) -> Response:
    return shown(request, name, object_name, record_id)


@router.delete("/{object_name}/{record_id}")
async def delete(request: Request, object_name: str, record_id: str) -> Response:
    return shown(request, "record", object_name, record_id)


@router.post("/{object_name}")
async def upsert(
    request: Request,
    object_name: str,
    key: Annotated[str | None, Query(alias="idParam")] = None,
) -> Response:
    return shown(request, object_name, key)


Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/{object_name}")
async def listed(
    request: Request,
    name: Named,
    object_name: str,
    limit: Limit = 5,
    hidden: bool = False,
    size: int | None = None,
) -> Response:
    return shown(request, object_name, limit, hidden, size)


@router.get("/{object_name}/lists/of")
async def several(
    request: Request, object_name: str, names: Annotated[list[str], Query()]
) -> Response:
    return shown(request, object_name, *names)


@router.get("/{object_name}/needed/text")
async def needing(request: Request, object_name: str, text: str) -> Response:
    return shown(request, object_name, text)


@router.put("/{object_name}/runs/{number}")
async def numbered(
    request: Request,
    name: Named,
    object_name: str,
    number: Annotated[int, Path(ge=1, le=9)],
) -> Response:
    return shown(request, name, object_name, number)


async def page_number(page: int = 1) -> int:
    return page


@router.get("/{object_name}/pages/all")
async def paged(
    request: Request, object_name: str, page: Annotated[int, Depends(page_number)]
) -> Response:
    return shown(request, object_name, page)


@router.put("/{object_name}")
async def twice(
    request: Request, one: Annotated[str, Depends(who)], two: Named, object_name: str
) -> Response:
    return shown(request, one, two, object_name)


@router.get("/files/x/{path:path}")
async def file(request: Request, path: str) -> Response:
    return shown(request, path)


@router.get("/plain/y/z")
def outside_the_loop(request: Request) -> Response:
    return shown(request)


class OwnFaults(APIRoute):
    """A class of routes that answers some faults itself."""


own = APIRouter(prefix="/api/{version:vault_version}/own", route_class=OwnFaults)


@own.get("/{name}/of/{record_id}")
async def of_a_class(request: Request, name: str, record_id: str) -> Response:
    return shown(request, name, record_id)


def application() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    app.include_router(other)
    app.include_router(router)
    app.include_router(own)
    routes = [*other.routes, *router.routes, *own.routes]
    app.add_middleware(PlainRoutes, routes=routes)
    return app


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/a__v/V1", "plain:nobody:a__v:V1"),
        ("GET", "/a__v/V%2F1", "404"),
        ("GET", "/a__v/", "404"),
        ("DELETE", "/a__v/V1", "plain:record:a__v:V1"),
        ("DELETE", "/a__v/roles", "plain:roles:a__v"),
        ("POST", "/a__v", "plain:a__v:None"),
        ("POST", "/a__v?idParam=x&idParam=y%20z", "plain:a__v:y z"),
        ("GET", "/a__v", "plain:a__v:5:False:None"),
        ("GET", "/a__v?limit=7&hidden=on&size=2", "plain:a__v:7:True:2"),
        ("GET", "/a__v?limit=x", "[limit]"),
        ("GET", "/a__v?limit=201&hidden=%20&size=", "[limit, hidden, size]"),
        ("GET", "/shut__v?limit=x", "not for you"),
        ("GET", "/a__v/lists/of?names=x&names=y", "router:a__v:x:y"),
        ("GET", "/a__v/needed/text?text=x", "router:a__v:x"),
        ("GET", "/a__v/needed/text", "422"),
        ("PUT", "/a__v/runs/9", "plain:nobody:a__v:9"),
        ("PUT", "/a__v/runs/010", "[number]"),
        ("PUT", "/a__v/runs/x", "[number]"),
        ("PUT", "/shut__v/runs/x", "not for you"),
        ("GET", "/a__v/pages/all?page=2", "router:a__v:2"),
        ("GET", "/a__v/pages/all?page=x", "422"),
        ("PUT", "/a__v", "router:nobody:nobody:a__v"),
        ("GET", "/files/x/a/b", "router:a/b"),
        ("GET", "/plain/y/z", "router"),
        ("GET", "/own/a__v/of/V1", "router:a__v:V1"),
        ("PATCH", "/a__v", "405"),
        ("GET", "/a/b/c/d", "404"),
    ],
)
async def test_who_serves_a_call(method: str, path: str, answer: str) -> None:
    async with serving(application()) as url, aiohttp.ClientSession() as client:
        address = URL(f"{url}/api/v25.1{path}", encoded=True)
        async with client.request(method, address) as answered:
            text = await answered.text()
    status = answered.status
    if status != 200:
        assert str(status) == answer
    elif text.startswith("{"):
        (error,) = orjson.loads(text)["errors"]
        assert error["message"].endswith(answer)
    else:
        assert text == answer


async def test_a_refusal_is_an_envelope() -> None:
    async with (
        serving(application()) as url,
        aiohttp.ClientSession(url) as client,
        client.get("/api/v25.1/shut__v/V1") as answered,
    ):
        body = orjson.loads(await answered.read())
    assert body["responseStatus"] == "FAILURE"
    assert body["errors"][0]["type"] == "INSUFFICIENT_ACCESS"
