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
from tests.service.vault.over_tls import over_tls
from tests.service.vault.served import PASSWORD, USERNAMES

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
COMMANDS = {
    "curl": ("sh", "curl/ask.sh"),
    "requests": (sys.executable, "python/plain_requests.py"),
    "veevatools": (sys.executable, "python/with_veevatools.py"),
    "java": ("java", "java/Ask.java"),
}
VAPIL = "VAPIL_CLASSPATH"
STORE_PASSWORD = "changeit"
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
    **environment: str,
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
            **environment,
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


async def test_the_example_with_the_vendor_s_library_does_what_it_says(
    crm: Crm, tmp_path: Path
) -> None:
    classpath = os.environ.get(VAPIL)
    if classpath is None:
        pytest.skip(f"{VAPIL} does not name the jars of the vendor's Java library")
    if shutil.which("keytool") is None:
        pytest.skip("keytool, which a JDK has, is not installed")
    store = tmp_path / "trust.p12"
    async with over_tls(crm.vault, tmp_path) as port:
        imported = ("keytool", "-importcert", "-noprompt", "-file", str(port.ca_file))
        written = ("-keystore", str(store), "-storetype", "PKCS12")
        await printed(
            crm, (*imported, *written, "-storepass", STORE_PASSWORD), EXAMPLES
        )
        trusting = (
            f"-Djavax.net.ssl.trustStore={store}",
            f"-Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}",
        )
        program = ("-cp", classpath, "java/AskWithVapil.java")
        out = await printed(
            crm,
            ("java", *trusting, *program),
            EXAMPLES,
            CRM_HTTPS_URL=f"https://{port.dns}",
        )
    assert PRINTED.fullmatch(out), out
