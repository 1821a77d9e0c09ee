"""Switches faults on and off for administrators of a Vault that is not in production, in all its processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import structlog

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import VaultFault
from shared.vault.rehearsal.fault_switches import MAX_SWITCHES, Switch, Switches
from shared.vault.rehearsal.path_patterns import ANY
from shared.vault.rehearsal.served_calls import ServedCall, require_served
from shared.vault.rehearsal.switch_request import SwitchRequest
from shared.vault.storage.database import FAULT_SWITCHED

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database

USER = "SELECT EXISTS (SELECT FROM platform.credential WHERE username = $1)"
ANNOUNCE = "SELECT pg_notify($1, $2)"

log = structlog.get_logger(__name__)


class RehearsalService:
    """Switches faults on and off for the API, and lists them; ``queues`` returns the names of the Vault's queues.

    The application sets ``served``: the calls that the Vault serves.
    """

    def __init__(
        self,
        database: Database,
        queues: Callable[[], Collection[str]],
        *,
        production: bool,
    ) -> None:
        self._database = database
        self._queues = queues
        self.production = production
        self.switches = Switches()
        self.served: Sequence[ServedCall] = ()
        # Each process hears what it has announced itself, too.
        self._process = uuid4().hex

    def list(self, caller: Caller) -> Sequence[Switch]:
        """Return the switches of this process that have not ended, also used up ones.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.REHEARSE_FAULTS)
        return self.switches.known()

    async def switch_on(self, caller: Caller, wanted: SwitchRequest) -> Switch:
        """Switch a fault on in all processes that run.

        :raises VaultFault: INSUFFICIENT_ACCESS; OPERATION_NOT_ALLOWED in production, or with too many switches;
            INVALID_DATA, PARAMETER_REQUIRED for a request that is not valid.
        """
        authorize(caller, Grant.REHEARSE_FAULTS)
        if self.production:
            message = "Faults cannot be switched on in a Vault of a production domain"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        target = wanted.target()
        switch = wanted.switch(
            uuid4().hex[:8], target, self.switches.now, caller.username
        )
        await self._require_known(switch)
        self._require_room()
        announced = {
            "on": wanted.to_json(),
            "id": switch.switch_id,
            "until": switch.until.isoformat(),
            "by": switch.set_by,
        }
        await self._record(
            caller, entries.AuditAction.SWITCH_FAULT_ON, switch, announced
        )
        # Asked again: others may have been switched on meanwhile.
        self._require_room()
        self.switches.add(switch)
        log.warning("fault.switched_on", fault=switch.fault.name, id=switch.switch_id)
        return switch

    async def switch_off(
        self, caller: Caller, switch_id: str | None
    ) -> Sequence[Switch]:
        """End a switch, or all of them if ``switch_id`` is None, in all processes; return those of this process.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for a switch that is not on.
        """
        authorize(caller, Grant.REHEARSE_FAULTS)
        # First here: what is struck no more must not depend on the database.
        ended = self.switches.remove(switch_id)
        if switch_id is not None and not ended:
            message = f"There is no switch [{switch_id[:40]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        for switch in ended:
            log.warning("fault.switched_off", id=switch.switch_id, struck=switch.struck)
            action = entries.AuditAction.SWITCH_FAULT_OFF
            await self._record(caller, action, switch, {"off": switch.switch_id})
        if switch_id is None:
            async with self._database.connection() as connection:
                await connection.execute(
                    ANNOUNCE, FAULT_SWITCHED, self._announcement({})
                )
        return ended

    def apply_announcement(self, announcement: str) -> None:
        """Apply a change of switches that another process of this Vault has announced; do nothing in production."""
        said = orjson.loads(announcement) if announcement else {}
        if self.production or said.get("process") in (None, self._process):
            return
        if "on" not in said:
            self.switches.remove(said.get("off"))
            return
        try:
            wanted = SwitchRequest.read(said["on"])
            target, now = wanted.target(), self.switches.now
            switch = wanted.switch(said["id"], target, now, said["by"])
        except VaultFault:
            # Of a newer version, which has faults that this process does not know.
            log.warning("fault.not_known_here", id=said["id"])
            return
        switch.until = datetime.fromisoformat(said["until"])
        self.switches.add(switch)

    async def _require_known(self, switch: Switch) -> None:
        """Check that the calls, the user and the queue of a switch exist.

        :raises VaultFault: INVALID_DATA
        """
        target = switch.target
        require_served(target, self.served)
        named = target.path is None and ANY not in target.queue
        if named and target.queue not in self._queues():
            message = f"There is no queue [{target.queue}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        if target.user:
            async with self._database.connection() as connection:
                known = await connection.fetchval(USER, target.user)
            if not known:
                message = "There is no user with the name in [user]"
                raise VaultFault(ErrorType.INVALID_DATA, message)

    def _require_room(self) -> None:
        if len(self.switches.on()) >= MAX_SWITCHES:
            message = f"At most {MAX_SWITCHES} faults may be switched on at a time"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)

    async def _record(
        self,
        caller: Caller,
        action: entries.AuditAction,
        switch: Switch,
        announced: Mapping[str, object],
    ) -> None:
        """Write the audit entry of a switch, and announce it to the other processes, in one transaction."""
        until = f"{switch.until:%Y-%m-%dT%H:%M:%SZ}"
        async with self._database.transaction() as connection:
            await entries.write_entry(
                connection,
                caller,
                entries.SYSTEM,
                action,
                f"Fault.{switch.fault.name}",
                after=f"{switch.described()}; until {until}; struck {switch.struck}",
            )
            await connection.execute(
                ANNOUNCE, FAULT_SWITCHED, self._announcement(announced)
            )

    def _announcement(self, announced: Mapping[str, object]) -> str:
        return orjson.dumps({"process": self._process, **announced}).decode()
