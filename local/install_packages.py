"""Installs the locked Python packages: pip brings uv, and uv the others in seconds.

Run by the Python of the virtual environment before anything else is in it, so it needs the standard library alone.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements" / "dev.txt"
# What pip is told about indexes and the way to them, as uv calls it, with what separates several values there.
_OPTIONS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
# pip reads the section of its command after the global one, and the environment last.
_SECTIONS = ("global", "install", ":env:")


def pip_settings(listing: str) -> dict[str, str]:
    """Read the output of ``pip config list``: what holds for an installation, by the option's name."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in _SECTIONS for option, value in found[section].items()}


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that makes uv ask where pip would ask; what is set for uv itself goes before."""
    translated = {
        variable: separator.join(settings[option].split())
        for option, (variable, separator) in _OPTIONS.items()
        if option in settings
    }
    # As pip does: the newest of all indexes. The lock's hashes say which files are taken.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match"} | translated | dict(environment)


def requirement(lock: str, package: str) -> str:
    """Cut one package with its hashes out of a lock.

    :raises LookupError: it is not in there.
    """
    found = re.search(rf"^{re.escape(package)}==.*?(?<!\\)\n", lock, re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{package} is not in the lock")
    return found.group()


def main() -> int:
    """Install the lock into the environment of this Python."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirement(LOCK.read_text(encoding="utf-8"), "uv"))
        file.flush()
        if subprocess.run([*pip, "install", "--quiet", "--require-hashes", "-r", file.name], check=False).returncode:
            return 1
    listing = subprocess.run([*pip, "config", "list"], check=True, capture_output=True, text=True).stdout
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", sys.executable]
    environment = uv_environment(pip_settings(listing), os.environ)
    # Compiled here once, as processes that may not write beside the packages would do it at each of their starts.
    command = [*uv, "--compile-bytecode", "--require-hashes", "-r", str(LOCK)]
    if not subprocess.run(command, env=environment, check=False).returncode:
        return 0
    # The way to an index may need what only pip knows, such as a keyring.
    print("uv could not install the packages; pip tries it, which takes about a minute …", file=sys.stderr)
    return subprocess.run([*pip, "install", "--require-hashes", "-r", str(LOCK)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
