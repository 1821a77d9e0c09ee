"""Lists the routes that an application serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.routing import BaseRoute, Mount, Route

PREFIX = "/api/{version:vault_version}"


def served_routes(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """Verb and path of every served route, including those of included routers."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from served_routes(included.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}"
        else:
            assert isinstance(route, Route), route
            path = route.path.removeprefix(PREFIX).replace(":path}", "}")
            yield from (
                f"{method} {path}" for method in (route.methods or set()) - {"HEAD"}
            )
