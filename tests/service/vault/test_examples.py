"""The examples run as for a reader, each where its toolchain is installed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.service.vault import inquiring
from tests.service.vault.inquiring import Crm
from tests.service.vault.objects import outcomes
from tests.service.vault.served import PASSWORD, USERNAMES

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
COMMANDS = {
    "curl": ("sh", "curl/ask.sh"),
    "requests": (sys.executable, "python/plain_requests.py"),
    "veevatools": (sys.executable, "python/with_veevatools.py"),
    "java": ("java", "java/Ask.java"),
}
PRINTED = re.compile(
    r"accounts: 4\ninquiry: \W*saved_state__v\W*\ninquiry: \W*submitted_state__v\W*\nrefused: INVALID_DATA\n"
)

crm = inquiring.crm


@pytest.fixture(scope="module", autouse=True)
async def accounts(crm: Crm) -> None:
    """More accounts than two pages have."""
    rows = [{"name__v": f"Reader {number}"} for number in range(3)]
    assert outcomes(await crm.admin.post("/vobjects/account__v", json=rows)) == [
        "SUCCESS"
    ] * len(rows)


async def printed(
    crm: Crm,
    command: Sequence[str],
    folder: Path,
    *,
    username: str = USERNAMES["user"],
    seconds: float = 120,
) -> str:
    """Run a command as a user, by default the rep, and return its output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={
            **os.environ,
            "CRM_URL": crm.rep.url,
            "CRM_USERNAME": username,
            "CRM_PASSWORD": PASSWORD,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.parametrize("language", COMMANDS)
async def test_an_example_does_what_it_says(crm: Crm, language: str) -> None:
    command = COMMANDS[language]
    tool = language if language == "curl" else command[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    assert PRINTED.fullmatch(await printed(crm, command, EXAMPLES))


async def test_the_example_in_typescript_does_what_it_says(
    crm: Crm, tmp_path: Path
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path / "typescript"
    shutil.copytree(
        EXAMPLES / "typescript",
        folder,
        ignore=shutil.ignore_patterns("node_modules", "build"),
    )
    await printed(crm, ("npm", "ci", "--no-audit", "--no-fund"), folder, seconds=300)
    out = await printed(crm, ("npm", "start", "--silent"), folder)
    assert PRINTED.fullmatch(out), out
