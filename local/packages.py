"""Installs the locked Python packages, renews the lock, and checks it, by pip (which installs uv) and uv.

The Python of the virtual environment runs it before any package is installed, so it needs only the standard library.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCKS = PROJECT / "requirements"
# The packages of the services alone, and all that work on the project needs; both have the same versions.
LOCK_OPTIONS = {
    "base.txt": [],
    "dev.txt": ["--extra", "dev", "--constraint", "base.txt"],
}
# pip's options for indexes and the network, with uv's variable for each and the separator of several values in it.
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
    """Return the options that apply to an installation, from the output of ``pip config list``."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            # pip prints values as Python literals.
            found[section][option] = str(ast.literal_eval(value))
    settings: dict[str, str] = {}
    for section in _SECTIONS:
        settings |= found[section]
    return settings


def uv_environment(
    settings: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment in which uv uses pip's indexes; variables of uv that are set already take precedence."""
    translated = {}
    for option, (variable, separator) in _OPTIONS.items():
        if option in settings:
            values = settings[option].split()
            translated[variable] = separator.join(values)
    # As pip does: the newest of all indexes. The lock's hashes say which files are taken.
    strategy = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    return strategy | translated | dict(environment)


def requirement(lock: str, package: str) -> str:
    """Return the entry of one package, with its hashes, from the text of a lock.

    :raises LookupError: the lock has no such package.
    """
    # An entry goes on over lines that end with a backslash.
    entry = rf"^{re.escape(package)}==.*?(?<!\\)\n"
    found = re.search(entry, lock, re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{package} is not in the lock")
    return found.group()


def install() -> int:
    """Install the locked packages into the environment of this Python, and return the exit code."""
    lock = LOCKS / "dev.txt"
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirement(lock.read_text(encoding="utf-8"), "uv"))
        file.flush()
        bring_uv = [*_pip(), "install", "--quiet", "--require-hashes", "-r", file.name]
        if subprocess.run(bring_uv, check=False).returncode:
            return 1
    # Compiled here once: a process that may not write beside the packages would compile them at each start.
    options = [
        "--python",
        sys.executable,
        "--compile-bytecode",
        "--require-hashes",
        "-r",
        str(lock),
    ]
    if not _uv("install", *options):
        return 0
    # An index may need something that only pip has, such as a keyring.
    print(
        "uv could not install the packages. Installing with pip, which takes about a minute …",
        file=sys.stderr,
    )
    command = [*_pip(), "install", "--require-hashes", "-r", str(lock)]
    ended = subprocess.run(command, check=False)
    return ended.returncode


def renew() -> int:
    """Lock the newest versions that ``pyproject.toml`` allows, and return the exit code."""
    return _compile(LOCKS, "--upgrade")


def check() -> int:
    """Return 0 when the lock matches ``pyproject.toml``."""
    with tempfile.TemporaryDirectory() as directory:
        # uv keeps the versions of a file that exists: only what pyproject.toml asks for otherwise changes.
        for name in LOCK_OPTIONS:
            shutil.copy(LOCKS / name, directory)
        if code := _compile(Path(directory)):
            return code
        stale = []
        for name in LOCK_OPTIONS:
            compiled = Path(directory) / name
            if compiled.read_text() != (LOCKS / name).read_text():
                stale.append(name)
    if stale:
        names = ", ".join(stale)
        print(
            f"differs from what pyproject.toml asks for: {names}; run `make lock`",
            file=sys.stderr,
        )
    return len(stale)


def _compile(directory: Path, *more: str) -> int:
    # One lock for all platforms and for every Python from 3.11 on.
    fixed = [
        "--universal",
        "--generate-hashes",
        "--python-version",
        "3.11",
        "--no-annotate",
        "--no-header",
    ]
    # The lock names no index, as each machine has its own.
    silent = ["--quiet", "--no-emit-index-url", "--no-emit-find-links"]
    for name, options in LOCK_OPTIONS.items():
        arguments = [
            *fixed,
            *silent,
            *more,
            *options,
            str(PROJECT / "pyproject.toml"),
            "--output-file",
            name,
        ]
        if code := _uv("compile", *arguments, directory=directory):
            return code
    return 0


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def _uv(command: str, *arguments: str, directory: Path = PROJECT) -> int:
    config = subprocess.run(
        [*_pip(), "config", "list"],
        check=True,
        capture_output=True,
        text=True,
    )
    settings = pip_settings(config.stdout)
    environment = uv_environment(settings, os.environ)
    uv = str(Path(sys.executable).with_name("uv"))
    ended = subprocess.run(
        [uv, "pip", command, *arguments],
        env=environment,
        cwd=directory,
        check=False,
    )
    return ended.returncode


def main() -> int:
    """Carry out the task that the first argument names, and return its exit code."""
    tasks = {
        "install": install,
        "renew": renew,
        "check": check,
    }
    task = tasks[sys.argv[1]]
    return task()


if __name__ == "__main__":
    sys.exit(main())
