"""Writes sign-ins to the audit trail: by whom, with what result, from which address, browser and platform."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from shared.vault.audit.audit_entries import AuditAction

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

SUCCESS = "Success"
UNKNOWN = "Unknown"
MAX_NAME = 100  # characters of a browser or platform

SIGNED_IN = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, new_value, details)
SELECT 'login', c.user_id, c.username, $2, $3, $4, $5::jsonb FROM platform.credential c WHERE c.user_id = $1
"""
# A typed name that no user has may be a password: it is not stored.
REFUSED = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, action, new_value, details)
SELECT 'login', c.user_id, c.username, $2, $3, $4::jsonb
FROM (VALUES ($1::text)) AS typed(name) LEFT JOIN platform.credential c ON c.username = typed.name
"""

# A browser also names those whose pages it can show: the first one here is its own name.
BROWSERS = {
    "Edg": "Edge",
    "Edge": "Edge",
    "EdgA": "Edge",
    "EdgiOS": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "Chrome": "Chrome",
    "CriOS": "Chrome",
}
BROWSER = re.compile(rf"\b({'|'.join(BROWSERS)}|Safari|Version)/([\d.]+)")
# The platform stands in the first parentheses of a browser's name, among other parts; Android names Linux as well.
COMMENT = re.compile(r"\(([^()]*)\)")
PLATFORMS = (
    "Windows NT",
    "Intel Mac OS X",
    "CPU iPhone OS",
    "CPU OS",
    "CrOS",
    "Android",
    "Linux",
)
PLATFORM = re.compile(rf"\b({'|'.join(PLATFORMS)})\b[^;]*")
LIKE_MAC = " like Mac OS X"


@dataclass(frozen=True, slots=True)
class SignInClient:
    """Where somebody signs in from: the address of the client, and its ``User-Agent``; both may be empty."""

    address: str = ""
    user_agent: str = ""

    @property
    def browser(self) -> str:
        """Return the browser and its version, such as ``Chrome 126.0.0.0``; ``Unknown`` for another program."""
        versions = {each[1]: each[2] for each in BROWSER.finditer(self.user_agent)}
        for product, name in BROWSERS.items():
            if product in versions:
                return f"{name} {versions[product]}"[:MAX_NAME]
        if "Safari" in versions and "Version" in versions:
            return f"Safari {versions['Version']}"[:MAX_NAME]
        return UNKNOWN

    @property
    def platform(self) -> str:
        """Return the platform that a browser names, such as ``Intel Mac OS X 10.15.7``; ``Unknown`` without one."""
        comment = COMMENT.search(self.user_agent)
        named = comment[1] if comment else ""
        found = {each[1]: each[0] for each in PLATFORM.finditer(named)}
        for name in PLATFORMS:
            if name in found:
                return _platform(found[name])
        return UNKNOWN

    @property
    def details(self) -> str:
        """Return what an entry stores of the client, as JSON."""
        stored = {
            "source_ip": self.address or None,
            "browser": self.browser,
            "platform": self.platform,
        }
        return orjson.dumps(stored).decode()


def _platform(text: str) -> str:
    """Return a platform as a browser names it, with the dots of its version."""
    name = text.removesuffix(LIKE_MAC).strip()
    dotted = name.replace("_", ".") if "OS" in name else name
    return dotted[:MAX_NAME]


async def write_sign_in(
    connection: Connection,
    user_id: int,
    delegate_user_id: int | None,
    client: SignInClient,
) -> None:
    """Write the entry of a session that has been opened, by the user or by a delegate in the user's name."""
    result = (SUCCESS, client.details)
    if delegate_user_id is None:
        await connection.execute(SIGNED_IN, user_id, None, AuditAction.LOGIN, *result)
        return
    action = AuditAction.DELEGATED_LOGIN
    await connection.execute(SIGNED_IN, delegate_user_id, user_id, action, *result)


async def write_refused_sign_in(
    connection: Connection,
    username: str,
    reason: str,
    client: SignInClient,
) -> None:
    """Write the entry of a refused sign-in with its error type; the typed name is written only if a user has it."""
    # PostgreSQL takes neither NUL nor lone surrogates in text.
    typed = username.replace("\x00", "").encode(errors="ignore").decode()
    details = client.details
    await connection.execute(REFUSED, typed, AuditAction.LOGIN, reason, details)
