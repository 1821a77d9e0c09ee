"""Installs the locked Python packages, renews the lock, and checks it: pip brings uv, and uv does the rest in seconds.

Run by the Python of the virtual environment before anything else is in it, so it needs the standard library alone.
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
# The packages of the services alone, and all that work on the project needs; the second has the same of the first.
LOCK_OPTIONS = {
    "base.txt": [],
    "dev.txt": ["--extra", "dev", "--constraint", "base.txt"],
}
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
    return {
        option: value
        for section in _SECTIONS
        for option, value in found[section].items()
    }


def uv_environment(
    settings: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
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
    found = re.search(
        rf"^{re.escape(package)}==.*?(?<!\\)\n", lock, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise LookupError(f"{package} is not in the lock")
    return found.group()


def install() -> int:
    """Install the lock into the environment of this Python."""
    lock = LOCKS / "dev.txt"
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirement(lock.read_text(encoding="utf-8"), "uv"))
        file.flush()
        bring_uv = [*_pip(), "install", "--quiet", "--require-hashes", "-r", file.name]
        if subprocess.run(bring_uv, check=False).returncode:
            return 1
    # Compiled here once, as processes that may not write beside the packages would do it at each of their starts.
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
    # The way to an index may need what only pip knows, such as a keyring.
    print(
        "uv could not install the packages; pip tries it, which takes about a minute …",
        file=sys.stderr,
    )
    return subprocess.run(
        [*_pip(), "install", "--require-hashes", "-r", str(lock)], check=False
    ).returncode


def renew() -> int:
    """Lock the newest versions that ``pyproject.toml`` allows."""
    return _compile(LOCKS, "--upgrade")


def check() -> int:
    """Say whether ``pyproject.toml`` asks for anything that the lock does not have, or the other way round."""
    with tempfile.TemporaryDirectory() as directory:
        for name in LOCK_OPTIONS:
            shutil.copy(LOCKS / name, directory)
        if code := _compile(Path(directory)):
            return code
        stale = [
            name
            for name in LOCK_OPTIONS
            if (Path(directory) / name).read_text() != (LOCKS / name).read_text()
        ]
    if stale:
        print(
            f"not what pyproject.toml asks for: {', '.join(stale)}; run `make lock`",
            file=sys.stderr,
        )
    return len(stale)


def _compile(directory: Path, *more: str) -> int:
    fixed = [
        "--universal",
        "--generate-hashes",
        "--python-version",
        "3.11",
        "--no-annotate",
        "--no-header",
    ]
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
    listing = subprocess.run(
        [*_pip(), "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    environment = uv_environment(pip_settings(listing), os.environ)
    uv = str(Path(sys.executable).with_name("uv"))
    return subprocess.run(
        [uv, "pip", command, *arguments], env=environment, cwd=directory, check=False
    ).returncode


def main() -> int:
    """Do what the first argument says."""
    tasks = {task.__name__: task for task in (install, renew, check)}
    return tasks[sys.argv[1]]()


if __name__ == "__main__":
    sys.exit(main())
