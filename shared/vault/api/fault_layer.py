"""Applies the active fault switches to calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from shared.vault.api.body import read_fields
from shared.vault.api.body_limits import MAX_SIGN_IN_BYTES
from shared.vault.api.request_context import client_id_of, session_id_in
from shared.vault.api.response_envelope import LOST, PASSING
from shared.vault.errors import VaultFault
from shared.vault.rehearsal.fault import CallFault, StruckCall

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.vault.assembly.vault import Vault
    from shared.vault.rehearsal.fault_switches import Switch

SIGN_IN = "/auth"


class FaultLayer:
    """ASGI layer around the whole application of a Vault; calls pass through it while faults are switched on."""

    def __init__(self, app: ASGIApp, vault: Vault) -> None:
        self._app = app
        self._vault = vault
        self._switches = vault.rehearsal.switches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or let the first due fault answer it or change its answer."""
        arriving = _Arriving(scope, receive)
        switch = await self._due(arriving)
        if switch is None or not isinstance(switch.fault, CallFault):
            await self._app(scope, arriving.receive, send)
            return
        call = StruckCall(self._app, scope, arriving.receive, send, switch.seconds)
        await switch.fault.strike(call)

    async def _due(self, arriving: _Arriving) -> Switch | None:
        """Return the switch that applies to a call, and count the call; None when no switch is due."""
        scope = arriving.scope
        client_id = client_id_of(scope)
        candidates = self._switches.for_call(scope["method"], scope["path"], client_id)
        for switch in list(candidates):
            wanted = switch.target.user
            if wanted and await self._user_of(arriving) != wanted:
                continue
            if switch.strikes():
                return switch
        return None

    async def _user_of(self, arriving: _Arriving) -> str | None:
        """Return the user name of a call's session or sign-in; None without either."""
        if not arriving.asked:
            arriving.asked = True
            arriving.user = await self._named_in(arriving)
        return arriving.user

    async def _named_in(self, arriving: _Arriving) -> str | None:
        header = Headers(scope=arriving.scope).get("authorization")
        session_id = session_id_in(header)
        try:
            # First: a sign-in is its user's, whatever session is sent along.
            if arriving.scope["path"].endswith(SIGN_IN):
                return await arriving.signing_in()
            if session_id is not None:
                caller = await self._vault.security.sessions.caller(session_id)
                return caller.username
        # What is wrong with it the call itself is told, by the Vault that nothing strikes.
        except (VaultFault, ClientDisconnect, *PASSING, *LOST):
            return None
        return None


class _Arriving:
    """A call whose body may be read before the application reads it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.asked = False
        self.user: str | None = None
        self._receive = receive
        self._read: list[Message] = []

    async def receive(self) -> Message:
        """Return the next part of the call; parts that were read before come first."""
        if self._read:
            return self._read.pop(0)
        return await self._receive()

    async def signing_in(self) -> str | None:
        """Return the user name in the body of a sign-in, which the application reads again."""
        read: list[Message] = []

        async def keep() -> Message:
            message = await self._receive()
            read.append(message)
            return message

        try:
            fields = await read_fields(Request(self.scope, keep), MAX_SIGN_IN_BYTES)
        finally:
            self._read = read
        return fields.get("username")
