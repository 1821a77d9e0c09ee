"""Starts a system for a module from the stored contents of the first system of its kind in a run.

Only the first one goes through a first start; the others migrate nothing, load no standard configuration and establish
no connection. Each has ports, certificates and a broker of its own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.postgres import PrivatePostgres, find_binaries
from local.processes import Command
from local.state import State
from local.system import System
from local.system_parts import PRODUCTION
from tests.servers import RUN_DIRECTORY, private_system

_COPY_SECONDS = 120.0


@asynccontextmanager
async def started_system(
    *, second_crm: bool = False, domain_type: str = PRODUCTION
) -> AsyncIterator[System]:
    """Yield a running system as after its first start, of which every part may be killed; it is removed afterwards."""
    async with private_system(second_crm=second_crm, domain_type=domain_type) as system:
        kind = f"started-{domain_type}-{2 if second_crm else 1}"
        snapshot = _Snapshot(Path(os.environ[RUN_DIRECTORY]) / kind)
        began = snapshot.begin(system)
        await system.start()
        if not began:
            await asyncio.to_thread(snapshot.take, system)
        yield system


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The contents of a system after its first start: its databases, files and passwords, in a folder of the run."""

    folder: Path

    def begin(self, system: System) -> bool:
        """Copy the contents into a system that was not started yet; return False when none are stored."""
        postgres = system.postgres
        if not isinstance(postgres, PrivatePostgres) or not self.folder.exists():
            return False
        _copy(self.folder / "files", system.directory / "files")
        # The folder itself belongs to the server's account, as the copy does.
        _copy(self.folder / "postgres", postgres.directory)
        state = State.load(system.directory / "state.json")
        state.servers = postgres.directory.parent
        state.secrets = State.load(self.folder / "snapshot.json").secrets
        state.save()
        return True

    def take(self, system: System) -> None:
        """Store the contents of a running system, unless another worker has done so meanwhile."""
        postgres = system.postgres
        binaries = find_binaries()
        if not isinstance(postgres, PrivatePostgres) or binaries is None:
            return
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.folder.parent))
        new.chmod(0o711)
        data = new / "postgres"
        data.mkdir(mode=0o700)
        if postgres.account:
            postgres.account.own(data)
        into = data / "data"
        arguments: list[str | Path] = [
            binaries / "pg_basebackup",
            f"--dbname={postgres.dsn}",
            f"--pgdata={into}",
            "--checkpoint=fast",
            "--no-sync",
        ]
        Command(
            arguments,
            {"LANG": "C.UTF-8"},
            data,
            new / "log",
            postgres.account,
        ).run(_COPY_SECONDS)
        _copy(system.directory / "files", new / "files")
        shutil.copy(system.directory / "state.json", new / "snapshot.json")
        try:
            # Renamed when it is complete: what exists can be copied.
            new.rename(self.folder)
        except OSError:
            shutil.rmtree(new)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners of its files, if it exists: a Vault creates it with its first file."""
    if not source.exists():
        return
    target.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)
