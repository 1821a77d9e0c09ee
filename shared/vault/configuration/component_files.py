"""Stores the content files of components: uploaded first, then referred to by an attribute, removed when unused."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

MAX_FILE_BYTES = 10 * 2**20
MAX_FILES = 1000
MAX_NAME = 255
UNUSED = timedelta(days=7)  # that a file waits to be named by a component
OCTETS = "application/octet-stream"

COLUMNS = "name, original_name, format, octet_length(content) AS size, sha1_checksum"
# Files that no component has named in time.
DELETE_UNUSED = """
DELETE FROM platform.component_file f WHERE created_date < now() - $1::interval
AND NOT EXISTS (SELECT FROM platform.component c WHERE position(f.name IN c.definition::text) > 0)
"""
# How many files there are.
COUNT = "SELECT count(*) FROM platform.component_file"
# A file of known content is not stored again; its time to be named by a component restarts.
INSERT = f"""
INSERT INTO platform.component_file (name, original_name, format, sha1_checksum, content, created_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET original_name = excluded.original_name, created_date = now()
RETURNING {COLUMNS}
"""


# Files by their names; one file with its bytes.
NAMED = f"SELECT {COLUMNS} FROM platform.component_file WHERE name = ANY($1::text[]) ORDER BY name"
ONE = f"SELECT {COLUMNS}, content FROM platform.component_file WHERE name = $1"


@dataclass(frozen=True, slots=True)
class ComponentFile:
    """One content file; components refer to it by ``name``."""

    name: str
    original_name: str
    format: str
    size: int
    sha1_checksum: str

    def to_json(self) -> dict[str, object]:
        """Return the file in the format of the API."""
        return {
            "name__v": self.name,
            "original_name__v": self.original_name,
            "format__v": self.format,
            "size__v": self.size,
            "sha1_checksum__v": self.sha1_checksum,
        }


class ComponentFiles:
    """Stores and reads the content files of a Vault's components."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
    ) -> None:
        self._database = database
        self._components = components

    async def upload(
        self,
        caller: Caller,
        original_name: str,
        content: bytes,
    ) -> ComponentFile:
        """Store a file to which components can then refer, and return it; the same content has the same name.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change components; EXCEEDS_FILE_MAX_SIZE when it
            is too large; OPERATION_NOT_ALLOWED when there are too many files.
        """
        authorize(caller, Grant.EXECUTE_MDL)
        if len(content) > MAX_FILE_BYTES:
            raise VaultFault(
                ErrorType.EXCEEDS_FILE_MAX_SIZE,
                f"A component's file has at most {MAX_FILE_BYTES} bytes",
            )
        plain_name = _plain_name(original_name)
        media_type = mimetypes.guess_type(plain_name)[0] or OCTETS
        name = hashlib.sha256(content).hexdigest()[:32]
        checksum = hashlib.sha1(content, usedforsecurity=False).hexdigest()

        async def work(connection: Connection) -> Record | None:
            # Here, for only an upload needs the room.
            await connection.execute(DELETE_UNUSED, UNUSED)
            if await connection.fetchval(COUNT) >= MAX_FILES:
                return None
            return await connection.fetchrow(
                INSERT, name, plain_name, media_type, checksum, content, caller.user_id
            )

        stored = await self._database.unit_of_work(work)
        if stored is None:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"A Vault stores at most {MAX_FILES} component files",
            )
        return ComponentFile(**stored)

    async def files_of(
        self,
        caller: Caller,
        component_name: str,
    ) -> Sequence[ComponentFile]:
        """Return the files to which a component refers.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read components; INVALID_DATA when there is no
            such component.
        """
        component = self._components.component(caller, component_name)
        # Any text may name a file: which attributes do is not part of the component's type.
        texts = list(_texts(component))
        async with self._database.connection() as connection:
            rows = await connection.fetch(NAMED, texts)
        return [ComponentFile(**row) for row in rows]

    async def content(
        self,
        caller: Caller,
        name: str,
    ) -> tuple[ComponentFile, bytes]:
        """Return a file and its bytes.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read components; INVALID_DATA when there is no
            such file.
        """
        authorize(caller, Grant.READ_CONFIGURATION)
        async with self._database.connection() as connection:
            row = await connection.fetchrow(ONE, name)
        if row is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no component file [{name[:100]}]"
            )
        columns = dict(row)
        content: bytes = columns.pop("content")
        return ComponentFile(**columns), content


def _texts(component: Component) -> Iterator[str]:
    """Yield all texts of a component and its sub-components."""
    for values in component.attributes.values():
        for value in values:
            if isinstance(value, str):
                yield str(value)
    for child in component.children:
        yield from _texts(child)


def _plain_name(original_name: str) -> str:
    """Return a file's name without the folders of the sender's machine; ``file`` if nothing remains."""
    path = original_name.replace("\\", "/")
    # PostgreSQL stores no null characters in texts.
    name = path.rpartition("/")[2].replace("\0", "")
    return name[:MAX_NAME] or "file"
