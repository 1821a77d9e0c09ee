"""The demo as a user runs it: every step of the story, or a reason and an exit code that is not 0."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from local.system import System
from tests.system.conditions import Connected

LIMIT_SECONDS = 120.0


async def demo(endpoints: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local.demo",
        "--endpoints",
        str(endpoints),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(LIMIT_SECONDS):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_story_plays(running: System, connected: Connected) -> None:
    code, output = await demo(running.endpoints_file)
    assert code == 0, output
    assert "What was transferred" in output
    assert "\x1b[" not in output, "plain lines where there is no terminal"
    # Twice: what the first left behind does not disturb the second.
    code, output = await demo(running.endpoints_file)
    assert code == 0, output


async def test_a_failure_says_why(running: System, tmp_path: Path) -> None:
    endpoints = json.loads(running.endpoints_file.read_text())
    endpoints["crm_vault"]["password"] = "wrong"
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps(endpoints))
    code, output = await demo(file)
    assert code != 0
    assert "The demo failed" in output
    assert "Logs:" in output
