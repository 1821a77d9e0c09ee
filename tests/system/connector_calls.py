"""Questions to the connector by HTTP, with the session of the caller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class ConnectorCaller:
    """``sessions`` are those of the Medical Vault at ``vault_url`` by role, ``source_sessions`` those of Vault CRM."""

    url: str
    vault_url: str
    sessions: Mapping[str, str]
    source_sessions: Mapping[str, str]

    async def ask(
        self, method: str, path: str, who: str = "admin", **asked: Any
    ) -> dict[str, Any]:
        """The envelope of the answer."""
        answer: dict[str, Any] = json.loads(await self.text(method, path, who, **asked))
        return answer

    async def text(
        self, method: str, path: str, who: str = "admin", **asked: Any
    ) -> str:
        """The body of the answer."""
        headers = {"Authorization": self.sessions.get(who, "none")}
        if who in self.source_sessions:
            headers["X-Source-Authorization"] = self.source_sessions[who]
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, f"{self.url}/{path}", **asked) as answer,
        ):
            assert answer.headers["Cache-Control"] == "no-store"
            return await answer.text()
