"""The demo as a user runs it: every step of the story, or a reason and a non-zero exit code."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from local.system import System
from tests.started_systems import started_system
from tests.system import module_system
from tests.system.conditions import Connected
from tests.system.reconciling import assert_clean, everything_transferred

running, connected = module_system.running, module_system.connected
LIMIT_SECONDS = 120.0
ACTIVATED = (
    "medical_inquiry_details__v",
    "country__v",
    "crm_metadata_sync_product_content__v",
)


async def demo(endpoints: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local.story.demo",
        "--endpoints",
        str(endpoints),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(LIMIT_SECONDS):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_story_plays() -> None:
    async with started_system(second_crm=True) as system:
        # Twice: what the first left behind does not disturb the second.
        for _ in range(2):
            code, output = await demo(system.endpoints_file)
            assert code == 0, output
            assert (
                "Approved content is published, and how it is used comes back" in output
            )
            assert "A second Vault CRM works" in output
            assert "What was transferred" in output
            assert "\x1b[" not in output, "plain lines where there is no terminal"


async def test_the_story_plays_with_one_crm(
    running: System, connected: Connected
) -> None:
    code, output = await demo(running.endpoints_file)
    assert code == 0, output
    assert "A second Vault CRM works" not in output
    # Runs of an integration that has been activated read what changed since then: not products and countries of before.
    for integration in ACTIVATED:
        await everything_transferred(connected, integration)
    for client in (connected.medical, connected.crm):
        found = await assert_clean(client)
        assert found.counts["equal"] > 0


async def test_a_failure_says_why(running: System, tmp_path: Path) -> None:
    endpoints = json.loads(running.endpoints_file.read_text())
    endpoints["crm_vault"]["password"] = "wrong"
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps(endpoints))
    code, output = await demo(file)
    assert code != 0
    assert "The demo failed" in output
    assert "Logs:" in output
