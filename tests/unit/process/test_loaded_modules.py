"""What a Vault process loads before it serves: nothing that only another process, or the first use of it, needs."""

from __future__ import annotations

import subprocess
import sys

# Each with who needs it.
LEFT_TO_OTHERS = {
    "pypdf": "the process that reads a PDF file",
    "zxcvbn": "the first new password",
    "local": "whoever starts the Vault",
    "pytest": "tests",
}
LOAD = """
import sys
import shared.vault.process.application
import services.medical_vault.definition
import services.crm_vault.definition
print(*sys.modules)
"""


def test_a_vault_loads_what_it_needs_to_serve() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "shared.vault.process.application" in loaded
    assert not loaded & LEFT_TO_OTHERS.keys()
