"""The modules that a process loads at start: none that only another process, or a later first use, needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

A_VAULT = (
    "shared.vault.process.application",
    "services.medical_vault.definition",
    "services.crm_vault.definition",
)
# Each with the libraries that it has no use for.
LOADS = {
    A_VAULT: {"pypdf", "zxcvbn", "aiohttp", "local", "pytest"},
    ("services.connector.app",): {"pypdf", "zxcvbn", "asyncpg", "lark", "local"},
    ("medcrm.cli",): {"fastapi", "starlette", "uvicorn", "asyncpg", "aio_pika"},
    ("local.__main__", "local.supervision"): {
        "fastapi",
        "starlette",
        "uvicorn",
        "lark",
    },
}


@pytest.mark.parametrize("modules", LOADS, ids=lambda modules: modules[0])
def test_a_process_loads_what_it_needs(modules: tuple[str, ...]) -> None:
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert loaded.issuperset(modules)
    assert not loaded & LOADS[modules]
