"""Serves calls of routes whose parameters are single texts or numbers, without the framework's router."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol

from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor
from starlette.requests import Request

from shared.vault.api.request_context import VersionConvertor
from shared.vault.api.response_envelope import failure, on_invalid_parameter
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant
    from starlette.convertors import Convertor
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

Arguments = dict[str, Any]
Solve = Callable[[Request], Awaitable[Any]]
"""A function that calls an endpoint with the parameters of a request, and returns its result."""


TEXT = (str, str | None)
# Others are read from several texts, as lists are, or by rules of their own.
SINGLE = (*TEXT, int, bool, int | None)


class _Parameter(Protocol):
    """The part of the framework's declaration of a path or query parameter that this module uses."""

    @property
    def name(self) -> str:
        """Return the name of the parameter in the function."""

    @property
    def alias(self) -> str:
        """Return the name of the parameter in the call."""

    @property
    def default(self) -> Any:
        """Return the value of the parameter when it is missing."""

    @property
    def field_info(self) -> Any:
        """Return the annotation, default and bounds of the parameter."""

    def validate(
        self, value: object, *, loc: tuple[str, ...]
    ) -> tuple[Any, list[dict[str, Any]]]:
        """Return the value of a text, and what is wrong with it; ``loc`` is where it is in the call."""


@dataclass(frozen=True)
class _Served:
    """A route, and the function that serves its calls without the framework; None when the framework serves them."""

    route: APIRoute
    solve: Solve | None

    @cached_property
    def segments(self) -> int | None:
        """Return the number of slashes in each of its paths; None when it varies."""
        convertors = self.route.param_convertors.values()
        if any(convertor.regex == ".*" for convertor in convertors):
            return None
        return self.route.path.count("/")


class PlainRoutes:
    """ASGI middleware before the router: it finds a call's route among those with its method and number of slashes.

    It passes a call on to the router when no route matches, or when the route has other than plain parameters.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        served = [_served(route) for route in routes if isinstance(route, APIRoute)]
        lengths = {each.segments for each in served if each.segments is not None}
        self._found: dict[tuple[str, int], list[_Served]] = defaultdict(list)
        for each in served:
            of = lengths if each.segments is None else {each.segments}
            for method in each.route.methods or ():
                for length in of:
                    self._found[method, length].append(each)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, or pass it on."""
        solve = self._solve(scope) if scope["type"] == "http" else None
        if solve is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await solve(request)
        except VaultFault as fault:
            response = failure(fault.error)
        except RequestValidationError as error:
            response = await on_invalid_parameter(request, error)
        await response(scope, receive, send)

    def _solve(self, scope: Scope) -> Solve | None:
        """Return the function that serves a call, and store route and path parameters in ``scope``.

        None when the router serves the call.
        """
        path = scope["path"]
        # Only a mounted application has a root, and this one is none.
        if scope.get("root_path"):
            return None
        for each in self._found.get((scope["method"], path.count("/")), ()):
            match = each.route.path_regex.match(path)
            if match is None:
                continue
            if each.solve is not None:
                scope["route"] = each.route
                scope["path_params"] = match.groupdict()
            return each.solve
        return None


def _served(route: APIRoute) -> _Served:
    # What is converted or made an answer of is the framework's to do, and what a class of routes adds is that class's.
    own = route.response_field or any(map(_converts, route.param_convertors.values()))
    others = bool(own) or type(route) is not APIRoute
    solve = None if others else _solver(route.dependant, set(), endpoint=True)
    return _Served(route, solve)


def _converts(convertor: Convertor[Any]) -> bool:
    return not isinstance(convertor, StringConvertor | VersionConvertor)


def _solver(
    dependant: Dependant, known: set[int], *, endpoint: bool = False
) -> Solve | None:
    """Return the function that calls an endpoint or dependency with plain parameters; None when it has others."""
    call = dependant.call
    others = (
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
        dependant.websocket_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    # What is wrong with a value is an error only when all dependencies have admitted the call.
    plain = _is_single if endpoint else _is_text
    parameters = [*dependant.path_params, *dependant.query_params]
    if call is None or id(call) in known or any(others):
        return None
    if not all(map(plain, parameters)):
        return None
    known.add(id(call))
    awaited = iscoroutinefunction(call) or iscoroutinefunction(
        getattr(call, "__call__", None)  # noqa: B004  whether it is awaited is asked
    )
    inner = {each.name: _solver(each, known) for each in dependant.dependencies}
    solvers = {name: solve for name, solve in inner.items() if name and solve}
    if not awaited or len(solvers) != len(dependant.dependencies):
        return None
    return _calling(call, dependant, solvers)


def _is_text(parameter: _Parameter) -> bool:
    """Return whether a parameter takes any text."""
    info = parameter.field_info
    return _is_single(parameter) and info.annotation in TEXT and not info.metadata


def _is_single(parameter: _Parameter) -> bool:
    """Return whether a parameter is converted from one text, and has a default if it can be missing."""
    info = parameter.field_info
    never_missing = info.in_ is ParamTypes.path or not info.is_required()
    return never_missing and info.annotation in SINGLE


def _calling(
    call: Callable[..., Awaitable[Any]],
    dependant: Dependant,
    solvers: Mapping[str, Solve],
) -> Solve:
    name = dependant.request_param_name or dependant.http_connection_param_name
    in_path = [_Read(each) for each in dependant.path_params]
    in_query = [_Read(each) for each in dependant.query_params]

    async def solve(request: Request) -> object:
        arguments: Arguments = {
            key: await each(request) for key, each in solvers.items()
        }
        if name is not None:
            arguments[name] = request
        errors: list[dict[str, Any]] = []
        for each in in_path:
            errors += each.add_to(arguments, request.path_params)
        for each in in_query:
            errors += each.add_to(arguments, request.query_params)
        if errors:
            raise RequestValidationError(errors)
        return await call(**arguments)

    return solve


class _Read:
    """Reads one parameter of the path or the query."""

    def __init__(self, parameter: _Parameter) -> None:
        self._parameter = parameter
        self._name = parameter.name
        self._alias = parameter.alias
        self._default = parameter.default
        self._is_text = _is_text(parameter)
        self._place = (parameter.field_info.in_.value, parameter.alias)

    def add_to(
        self, arguments: Arguments, texts: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        """Add the value to the arguments of the function, and return what is wrong with its text."""
        text = texts.get(self._alias)
        if text is None or self._is_text:
            arguments[self._name] = self._default if text is None else text
            return ()
        value, errors = self._parameter.validate(text, loc=self._place)
        arguments[self._name] = value
        return errors
