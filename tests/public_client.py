"""The Python client on PyPI as tests use it: unmodified, and in touch with the Vault under test only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from veevatools.veevavault import VaultClient

LOGIN_HOST = "https://login.veevavault.com"


class LoginHost(HTTPAdapter):
    """Redirects the client's requests for the vendor's login host to the Vault under test."""

    def __init__(self, vault_url: str) -> None:
        super().__init__()
        self._vault_url = vault_url
        self.asked: list[str] = []

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        address = urlsplit(str(request.url))
        self.asked.append(address.path)
        request.url = f"{self._vault_url}{address.path}?{address.query}"
        return super().send(request, *args, **kwargs)


def client_of(url: str) -> tuple[VaultClient, LoginHost]:
    client, host = VaultClient(), LoginHost(url)
    client._session.mount(LOGIN_HOST, host)
    return client, host
