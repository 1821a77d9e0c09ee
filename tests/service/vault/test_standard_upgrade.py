"""A database with an older version of the standard configuration, under a newer version of the service."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from services.crm_vault.definition import CRM_VAULT
from shared.vault.api.api_app import create_api
from shared.vault.assembly.vault import Vault
from tests.service.vault.served import Api, served, settings

OLD = """
RECREATE Picklist shade__v ( label('Shade'), Picklistentry pale__v ( label('Pale') ) );
RECREATE Object paint__v ( label('Paint'), prefix('ZPA'),
  Field code__v ( type('String'), label('Code'), unique(true), max_length(10) ),
  Field note__v ( type('String'), label('Note'), max_length(20) ) );
"""
NEW = """
RECREATE Picklist shade__v ( label('Shade'), Picklistentry pale__v ( label('Very Pale') ),
  Picklistentry deep__v ( label('Deep') ) );
RECREATE Object brush__v ( label('Brush'), prefix('ZBR') );
RECREATE Object paint__v ( label('Paint'), prefix('ZPA'),
  Field code__v ( type('String'), label('Code'), unique(true), max_length(10) ),
  Field note__v ( type('String'), label('Note'), max_length(20) ),
  Field brush__v ( type('Object'), label('Brush'), object('Object.brush__v') ) );
"""
OLD_CONNECTION = """
RECREATE Picklist connection_state__sys ( label('Connection State'),
  Picklistentry pending__sys ( label('Pending') ), Picklistentry active__sys ( label('Active') ) );
RECREATE Object connection__sys ( label('Connection'), label_plural('Connections'), prefix('V0B'),
  Field api_name__sys ( label('API Name'), type('String'), max_length(40), required(true), unique(true) ),
  Field description__sys ( label('Description'), type('String'), max_length(500) ),
  Field remote_vault_id__sys ( label('Remote Vault ID'), type('String'), max_length(20) ),
  Field connection_state__sys ( label('Connection State'), type('Picklist'),
    picklist('Picklist.connection_state__sys') ) );
"""
OLD_ROWS = "code__v,name__v,note__v\nA,Azure,first\nB,Beige,first\nC,Cyan,first\n"
NEW_ROWS = "code__v,name__v,note__v\nA,Azure,second\nB,Beige,second\nC,Cyan,second\nD,Drab,second\n"
PAINTS = "/vobjects/paint__v"


@dataclass(frozen=True, slots=True)
class Installation:
    """A Vault's database, and the folder of the installed version."""

    dsn: str
    amqp_url: str
    folder: Path

    def install(self, mdl: str, rows: str) -> None:
        (self.folder / "components" / "90_paint.mdl").write_text(mdl, encoding="utf-8")
        (self.folder / "records" / "90_paint__v.csv").write_text(rows, encoding="utf-8")

    def process(self) -> Vault:
        definition = replace(CRM_VAULT, standard=self.folder)
        return Vault(
            definition, settings(self.dsn, self.amqp_url, self.folder.parent / "files")
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Api]:
        vault = self.process()
        await vault.start()
        try:
            async with served(create_api(vault)) as api:
                yield await api.signed_in("admin")
        finally:
            await vault.stop()


@pytest.fixture
def installation(postgres_dsn: str, amqp_url: str, tmp_path: Path) -> Installation:
    shutil.copytree(CRM_VAULT.standard, tmp_path / "standard")
    installed = Installation(postgres_dsn, amqp_url, tmp_path / "standard")
    installed.install(OLD, OLD_ROWS)
    return installed


async def notes(admin: Api) -> dict[str, str]:
    answer = await admin.query("SELECT code__v, note__v FROM paint__v")
    return {row["code__v"]: row["note__v"] for row in answer.data}


async def withheld(admin: Api) -> dict[str, str]:
    answer = await admin.get("/services/standard_configuration")
    return {f"{item['kind']}.{item['name']}": item["reason"] for item in answer.data}


async def test_what_nobody_has_changed_becomes_as_shipped(
    installation: Installation,
) -> None:
    async with installation.running():
        pass
    installation.install(NEW, NEW_ROWS)
    async with installation.running() as admin:
        assert await notes(admin) == dict.fromkeys("ABCD", "second")
        assert (
            "brush__v" in (await admin.get("/api/mdl/components/Object.paint__v")).text
        )
        assert await withheld(admin) == {}


async def test_what_was_changed_in_the_vault_stays(installation: Installation) -> None:
    async with installation.running() as admin:
        mdl = """
        ALTER Picklist shade__v ( MODIFY Picklistentry pale__v ( label('Pastel') ) );
        ALTER Object paint__v ( ADD Field own__c ( type('String'), label('Own'), max_length(5) ) );
        """
        assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
        await admin.put(
            f"{PAINTS}?idParam=code__v", json=[{"code__v": "B", "note__v": "mine"}]
        )
        await admin.delete(f"{PAINTS}?idParam=code__v", json=[{"code__v": "C"}])
    installation.install(NEW, NEW_ROWS)
    async with installation.running() as admin:
        assert await notes(admin) == {"A": "second", "B": "mine", "D": "second"}
        shade = (await admin.get("/api/mdl/components/Picklist.shade__v")).text
        assert "Pastel" in shade
        assert "deep__v" not in shade
        paint = (await admin.get("/api/mdl/components/Object.paint__v")).text
        assert "own__c" in paint
        assert "brush__v" in paint
        listed = await withheld(admin)
        assert set(listed) == {"Picklist.shade__v", "paint__v.B"}
        assert "pale__v: label" in listed["Picklist.shade__v"]
        resolved = (await admin.get("/services/standard_configuration")).data[0][
            "shipped"
        ]
        assert (await admin.post("/api/mdl/execute", data=resolved)).status == "SUCCESS"
    installation.install(NEW.replace("'Deep'", "'Deeper'"), NEW_ROWS)
    async with installation.running() as admin:
        assert (
            "Deeper" in (await admin.get("/api/mdl/components/Picklist.shade__v")).text
        )
        assert set(await withheld(admin)) == {"paint__v.B"}


async def test_a_version_that_would_lose_data_is_withheld(
    installation: Installation,
) -> None:
    async with installation.running():
        pass
    without_note = OLD.replace(
        "Field note__v ( type('String'), label('Note'), max_length(20) )",
        "active(true)",
    )  # no field
    installation.install(without_note, OLD_ROWS)
    async with installation.running() as admin:
        assert await notes(admin) == dict.fromkeys("ABC", "first")
        assert set(await withheld(admin)) == {"Object.paint__v"}


async def test_an_older_process_takes_nothing_back(installation: Installation) -> None:
    async with installation.running():
        pass
    installation.install(NEW, NEW_ROWS)
    async with installation.running():
        pass
    installation.install(OLD, OLD_ROWS)
    async with installation.running() as admin:
        assert set((await notes(admin)).values()) == {"second"}


async def test_processes_that_start_together_give_it_once(
    installation: Installation,
) -> None:
    async with installation.running():
        pass
    installation.install(NEW, NEW_ROWS)
    together = [installation.process() for _ in range(3)]
    await asyncio.gather(*(vault.start() for vault in together))
    await asyncio.gather(*(vault.stop() for vault in together))
    async with installation.running() as admin:
        assert await notes(admin) == dict.fromkeys("ABCD", "second")
        trail = await admin.get("/audittrail/system_audit_trail")
        created = [
            entry
            for entry in trail.data
            if "brush__v" in str(entry) and entry["action"] == "RECREATE"
        ]
        assert (
            len([entry for entry in created if "Object.brush__v" in str(entry["item"])])
            == 1
        )


async def test_a_vault_from_before_installed_items_were_recorded(
    installation: Installation,
) -> None:
    vault = installation.process()
    await vault.start()
    async with vault.database.transaction() as connection:
        await connection.execute(
            "TRUNCATE platform.standard_item, platform.standard_load"
        )
        await connection.execute(
            "INSERT INTO platform.standard_load (name) VALUES ('components'), ('records')"
        )
    await vault.stop()
    installation.install(NEW, NEW_ROWS)
    async with installation.running() as admin:
        assert await notes(admin) == dict.fromkeys("ABCD", "second")
        assert await withheld(admin) == {}


def as_before_the_lifecycle(folder: Path) -> None:
    """Change the folder back to connections that had a field for their state."""
    components = folder / "components"
    (components / "35_platform_lifecycles.mdl").unlink()
    objects = components / "40_platform_objects.mdl"
    text = objects.read_text(encoding="utf-8")
    head, tail = (
        text.index("RECREATE Object connection__sys"),
        text.index("RECREATE Object integration__sys"),
    )
    objects.write_text(text[:head] + OLD_CONNECTION + text[tail:], encoding="utf-8")
    row = "medical_crm__v,Medical-CRM Connection,10101,active__sys"
    (folder / "records" / "10_connection__sys.csv").write_text(
        f"api_name__sys,name__v,remote_vault_id__sys,connection_state__sys\n{row}\n",
        encoding="utf-8",
    )


async def test_a_connection_from_before_its_lifecycle_is_there_to_be_established(
    installation: Installation,
) -> None:
    as_before_the_lifecycle(installation.folder)
    text = "SELECT {} FROM connection__sys WHERE api_name__sys = 'medical_crm__v'"
    async with installation.running() as admin:
        (row,) = (await admin.query(text.format("connection_state__sys"))).data
        assert row["connection_state__sys"] == ["active__sys"]
    # The next version begins with its migration, which that database has not seen.
    connection = await asyncpg.connect(installation.dsn)
    await connection.execute(
        "UPDATE records.connection__sys SET connection_state__sys = NULL"
    )
    await connection.close()
    shutil.copytree(CRM_VAULT.standard, installation.folder, dirs_exist_ok=True)
    async with installation.running() as admin:
        (row,) = (
            await admin.query(
                text.format(
                    "state__v, object_type__vr.api_name__v, system_managed__sys"
                )
            )
        ).data
        assert row == {
            "state__v": "pending_state__sys",
            "object_type__vr.api_name__v": "vault_to_vault__sys",
            "system_managed__sys": True,
        }
        assert await withheld(admin) == {}


async def test_a_vault_from_before_copies_of_inquiries_left_out_their_answers(
    installation: Installation,
) -> None:
    objects = installation.folder / "components" / "50_objects.mdl"
    shipped = objects.read_text(encoding="utf-8")
    objects.write_text(re.sub(r",\s*no_copy\(true\)", "", shipped), "utf-8")
    async with installation.running() as admin:
        assert await not_copied(admin) == set()
        mdl = """
        ALTER Object medical_inquiry__v (
            ADD Field own__c ( type('String'), label('Own'), max_length(5) ),
            MODIFY Field response__v ( label('Answer') ) );
        """
        assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    objects.write_text(shipped, "utf-8")
    async with installation.running() as admin:
        assert await not_copied(admin) == {
            "transfer_status__v",
            "transfer_error__v",
            "inquiry_status__v",
            "response__v",
            "response_package_link__v",
            "closed_date__v",
        }
        stored = (await admin.get("/api/mdl/components/Object.medical_inquiry__v")).text
        assert "label('Answer')" in stored
        assert "own__c" in stored
        assert await withheld(admin) == {}


async def not_copied(admin: Api) -> set[str]:
    """The fields that a copy of an inquiry leaves out, except unique ones."""
    answer = await admin.get("/metadata/vobjects/medical_inquiry__v")
    fields = answer.body["object"]["fields"]
    return {
        field["name"] for field in fields if field["no_copy"] and not field["unique"]
    }
