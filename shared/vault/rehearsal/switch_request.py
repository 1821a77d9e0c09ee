"""Reads the request to switch a fault on, as a call or a form sends it, and checks its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from shared.protocol.client_ids import CLIENT_ID
from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.errors import VaultFault
from shared.vault.rehearsal.fault import CallFault, Fault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from shared.vault.rehearsal.fault_switches import WHOLE, Switch, Target
from shared.vault.rehearsal.path_patterns import PathPattern

MAX_CALLS = 100_000
MAX_SECONDS = 300
MAX_MINUTES = 24 * 60
MINUTES = 60
MAX_NAME = 100  # characters
MAX_NUMBER = 10  # characters
METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """The fields of a request as texts; an empty text means the fault's default, or all."""

    fault: str = ""
    calls: str = ""
    share: str = ""
    user: str = ""
    client_id: str = ""
    method: str = ""
    path: str = ""
    queue: str = ""
    seconds: str = ""
    minutes: str = ""

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> SwitchRequest:
        """Return the request in the fields of a call.

        :raises VaultFault: INVALID_DATA for an unknown field.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(sent) - known)
        if unknown:
            names = ", ".join(sorted(known))
            raise _invalid(
                f"There is no parameter [{unknown[0][:40]}]; the parameters are {names}"
            )
        return cls(**{name: value.strip() for name, value in sent.items()})

    def to_json(self) -> dict[str, str]:
        """Return the fields for other processes."""
        return asdict(self)

    def found(self) -> Fault:
        """Return the requested fault.

        :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA for an unknown fault.
        """
        if not self.fault:
            message = "Missing required parameter [fault]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        if self.fault not in FAULTS:
            names = ", ".join(FAULTS)
            raise _invalid(f"There is no fault [{self.fault[:40]}]; there are {names}")
        return FAULTS[self.fault]

    def target(self) -> Target:
        """Return the calls or messages that the switch applies to.

        :raises VaultFault: INVALID_DATA for a pattern or name that is not valid.
        """
        fault = self.found()
        for name in ("user", "client_id", "queue"):
            value = getattr(self, name)
            if len(value) > MAX_NAME or not value.isprintable():
                raise _invalid(f"[{name}] has at most {MAX_NAME} characters")
        if self.client_id and not CLIENT_ID.fullmatch(self.client_id):
            raise _invalid("[client_id] has letters, digits and . _ - only")
        if not isinstance(fault, CallFault):
            return self._of_queues()
        if self.queue:
            raise _invalid(f"[{fault.name}] strikes calls; it takes no [queue]")
        method = self.method.upper()
        if method not in ("", *METHODS):
            raise _invalid(f"[method] is one of {', '.join(METHODS)}")
        path = PathPattern.read(self.path or fault.path)
        return Target(path, method, self.user, self.client_id)

    def _of_queues(self) -> Target:
        for name in ("user", "client_id", "method", "path"):
            if getattr(self, name):
                raise _invalid(
                    f"[{self.fault}] strikes messages; it takes no [{name}], but [queue]"
                )
        if self.queue.count("*") > 1:
            raise _invalid("[queue] has at most one *")
        return Target(None, queue=self.queue or "*")

    def switch(
        self, switch_id: str, target: Target, now: datetime, set_by: str
    ) -> Switch:
        """Return the requested switch.

        :raises VaultFault: PARAMETER_REQUIRED without an amount; INVALID_DATA for a number beyond its bounds.
        """
        fault = self.found()
        calls = self._number("calls", MAX_CALLS)
        share = self._number("share", WHOLE)
        if calls is None and share is None:
            message = "Missing required parameter [calls] or [share]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        if calls is not None and share is not None:
            raise _invalid("Take one of [calls] and [share], not both")
        minutes = self._number("minutes", MAX_MINUTES) or MINUTES
        return Switch(
            switch_id=switch_id,
            fault=fault,
            target=target,
            calls=calls,
            share=share,
            seconds=self._seconds(fault),
            until=now + timedelta(minutes=minutes),
            set_by=set_by,
        )

    def _number(self, name: str, largest: int) -> int | None:
        text = getattr(self, name)
        if not text:
            return None
        number = whole_number(text, largest)
        if not number:
            raise _invalid(f"[{name}] is a whole number from 1 to {largest}")
        return number

    def _seconds(self, fault: Fault) -> float:
        if not self.seconds:
            return fault.seconds
        if not fault.seconds:
            raise _invalid(f"[{fault.name}] takes no time, and no [seconds]")
        message = f"[seconds] is a number above 0 and at most {MAX_SECONDS}"
        if len(self.seconds) > MAX_NUMBER:
            raise _invalid(message)
        try:
            seconds = Decimal(self.seconds)
        except InvalidOperation as error:
            raise _invalid(message) from error
        if not seconds.is_finite() or not 0 < seconds <= MAX_SECONDS:
            raise _invalid(message)
        return float(seconds)


def _invalid(message: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, message)
