"""Targets of a sign-in: pages of this Vault only."""

from __future__ import annotations

import pytest

from shared.vault.admin.page_context import HOME, safe_target


@pytest.mark.parametrize(
    "target", ["/ui/", "/ui/queues/out__c", "/ui/objects/thing__c?q=a&page=2"]
)
def test_pages_of_ours(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/ui",
        "/api/",
        "ui/",
        "//evil.example/ui/",
        "//ui/",
        "///ui/",
        "////ui/objects",
        " /ui/",
        "/\t/ui/",
        "https://evil.example/ui/",
        "https:/ui/",
        "\\\\evil.example/ui/",
        "/ui/\\evil",
        "/ui/\r\nSet-Cookie: a=b",
        "javascript:alert(1)//ui/",
        "/ui/\u0000",
        "/ui/é",
    ],
)
def test_nothing_else(target: str) -> None:
    assert safe_target(target) == HOME
