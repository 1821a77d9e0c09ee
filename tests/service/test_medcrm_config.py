"""Configuration as code: exported from one Vault, applied to another that has none, compared with both."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from local.servers import PostgresServer, RabbitServer
from medcrm.console_session import PASSWORD as PASSWORD_VARIABLE
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.assembly.vault_definition import VaultDefinition
from shared.vault.process.application import create_app
from tests.forked_console import run_console
from tests.servers import fresh_database, fresh_vhost
from tests.service.vault.served import (
    PASSWORD,
    USERNAMES,
    Api,
    served,
    settings,
    started,
)
from tests.service.vault.vault_databases import vault_database

PROFILE = """RECREATE Permissionset reader__c (
  label('Reader'), permissions('read_queues'), Objectpermission case__v (read(true)) );
RECREATE Securityprofile reader__c ( label('Reader'), active(true), permission_sets('Permissionset.reader__c') );"""
RULE = "components/Integrationrule.medical_inquiries__v.mdl"


def bare(folder: Path) -> VaultDefinition:
    """A Vault with only what every Vault has."""
    for part in ("components", "records", "data"):
        (folder / part).mkdir()
    for file in sorted((MEDICAL_VAULT.standard / "components").glob("*.mdl")):
        if "platform" in file.name or "packages" in file.name:
            shutil.copy(file, folder / "components")
    return replace(MEDICAL_VAULT, name="bare_vault", vault_id=30303, standard=folder)


@pytest.fixture(scope="module")
async def medical(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    """A Vault with the standard configuration."""
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        vault = Vault(
            MEDICAL_VAULT,
            settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("medical")),
        )
        async with served(create_app(vault)) as client:
            await started(vault)
            yield client


@pytest.fixture(scope="module")
async def empty(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    """A Vault without custom configuration."""
    async with (
        fresh_database(postgres_server) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        definition = bare(tmp_path_factory.mktemp("standard"))
        vault = Vault(
            definition, settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("bare"))
        )
        async with served(create_app(vault)) as client:
            await started(vault)
            yield client


@pytest.fixture(scope="module")
async def exported(medical: Api, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the standard configuration is exported to."""
    folder = tmp_path_factory.mktemp("exported")
    admin = await medical.signed_in("admin")
    assert (await admin.post("/api/mdl/execute", data=PROFILE)).status == "SUCCESS"
    result = await medcrm("export", medical, folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported folder that a test may change."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@dataclass(frozen=True, slots=True)
class Result:
    """How the console ended, and all that it wrote."""

    exit_code: int
    output: str


async def run(*arguments: str, answer: str = "", password: str = PASSWORD) -> Result:
    """Run the console with a password, or with an answer to the question for it."""
    variables = {PASSWORD_VARIABLE: password}
    ended = await run_console(*arguments, variables=variables, answer=answer)
    return Result(ended.exit_code, ended.output + ended.errors)


async def medcrm(
    command: str,
    vault: Api,
    folder: Path,
    *options: str,
    answer: str = "",
    role: str = "admin",
) -> Result:
    """Run a command of the console on a Vault."""
    arguments = (
        "config",
        command,
        str(folder),
        "--url",
        vault.url,
        "--username",
        USERNAMES[role],
        *options,
    )
    return await run(*arguments, answer=answer)


async def test_what_is_exported_are_names_never_ids(
    exported: Path, medical: Api
) -> None:
    names = {str(file.relative_to(exported)) for file in exported.rglob("*.*")}
    assert {
        RULE,
        "components/Object.case__v.mdl",
        "records/connection__sys.csv",
        "records/reference_lookup__sys.csv",
    } <= names
    assert (
        "connection__sysr.api_name__sys"
        in (exported / "records/integration__sys.csv").read_text()
    )
    admin = await medical.signed_in("admin")
    rows = (
        await admin.query("SELECT id, global_id__sys FROM integration_point__sys")
    ).data
    text = "".join(file.read_text() for file in sorted(exported.rglob("*.*")))
    assert rows
    assert not any(value in text for row in rows for value in row.values())
    assert not re.search(r"\b20202\b|\b10101\b", text)


async def test_export_again_changes_nothing(copied: Path, medical: Api) -> None:
    assert (
        await medcrm("export", medical, copied)
    ).exit_code == 0  # what other tests have changed in the Vault
    before = {file: file.read_bytes() for file in copied.rglob("*.*")}
    result = await medcrm("export", medical, copied)
    assert "0 files written, 0 removed" in result.output
    assert {file: file.read_bytes() for file in copied.rglob("*.*")} == before
    assert "No differences" in (await medcrm("diff", medical, copied)).output


async def test_from_one_vault_to_another(exported: Path, empty: Api) -> None:
    result = await medcrm("diff", empty, exported)
    assert result.exit_code == 1
    assert "+ Integrationrule.medical_inquiries__v" in result.output
    assert "+ Securityprofile.reader__c" in result.output
    assert "+ connection__sys medical_crm__v" in result.output

    refused = await medcrm("apply", empty, exported, answer="n\n")
    assert (refused.exit_code, "Plan: " in refused.output) == (1, True)
    assert (await medcrm("diff", empty, exported)).output == result.output

    applied = await medcrm("apply", empty, exported, answer="y\n")
    assert applied.exit_code == 0, applied.output
    assert (
        applied.output.index("+ Object.case__v")
        < applied.output.index("Apply?")
        < applied.output.index("done  ")
    )
    again = await medcrm("apply", empty, exported)
    assert (again.exit_code, again.output) == (0, "Nothing to do\n")
    same = await medcrm("diff", empty, exported)
    assert (same.exit_code, same.output) == (0, "No differences\n")


async def test_a_change_is_shown_applied_and_then_gone(
    copied: Path, medical: Api
) -> None:
    rule = copied / RULE
    rule.write_text(rule.read_text().replace("label('", "label('My ", 1))
    rows = copied / "records/reference_lookup__sys.csv"
    rows.write_text(rows.read_text().replace("normal__v", "high__v", 1))
    result = await medcrm("diff", medical, copied)
    assert result.exit_code == 1
    assert "~ Integrationrule.medical_inquiries__v\n  ~ label 'Medical" in result.output
    assert "  ~ target_key__sys 'normal__v' -> 'high__v'" in result.output
    applied = await medcrm("apply", medical, copied, "--yes")
    assert "Plan: 1 MDL statements, 1 records" in applied.output
    assert (await medcrm("apply", medical, copied, "--yes")).output == "Nothing to do\n"


async def test_what_only_the_vault_has_goes_when_it_is_pruned(
    copied: Path, medical: Api
) -> None:
    admin = await medical.signed_in("admin")
    mdl = """RECREATE Picklist extra__c ( label('Extra') );
    RECREATE Object extra__c ( label('Extra'), prefix('ZEX'),
      Field extra__c ( type('Picklist'), label('Extra'), picklist('Picklist.extra__c') ) );"""
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    row = {"api_name__sys": "extra__c", "name__v": "Extra"}
    assert (
        await admin.post("/vobjects/connection__sys", json=[row])
    ).status == "SUCCESS"
    await medcrm("apply", medical, copied, "--yes")

    result = await medcrm("diff", medical, copied)
    assert result.output.splitlines() == [
        "- Object.extra__c",
        "- Picklist.extra__c",
        "- connection__sys extra__c",
    ]
    assert (await medcrm("apply", medical, copied, "--yes")).output == "Nothing to do\n"
    pruned = await medcrm("apply", medical, copied, "--yes", "--prune")
    assert (pruned.exit_code, "done  DROP Picklist.extra__c" in pruned.output) == (
        0,
        True,
    ), pruned.output
    assert (await medcrm("diff", medical, copied)).output == "No differences\n"


async def test_a_rule_goes_before_the_field_that_it_fills(
    exported: Path, tmp_path: Path, medical: Api
) -> None:
    folder = tmp_path / "before"
    assert (await medcrm("export", medical, folder)).exit_code == 0
    admin = await medical.signed_in("admin")
    mdl = """ALTER Object case_request__v (
      label('Request'), ADD Field fax2__c ( type('String'), label('Second Fax') ) );
    ALTER Integrationrule medical_inquiries__v ( ADD Fieldrule fax2__c (
      target_object('Object.case_request__v'), target_object_field('Field.fax2__c'), field_default('none') ) );
    RECREATE Object fax_log__c ( label('Log'), prefix('ZFL'), Field request__c ( type('Object'), label('R'),
      object('Object.case_request__v'), relationship_outbound_name('request__cr'),
      relationship_inbound_name('fax_logs__cr') ) );
    ALTER Object case_request__v ( ADD Field log__c ( type('Object'), label('Log'),
      object('Object.fax_log__c'), relationship_outbound_name('log__cr'),
      relationship_inbound_name('requests__cr') ) );"""
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    after = tmp_path / "after"
    assert (await medcrm("export", medical, after)).exit_code == 0
    for wanted in (folder, after, folder):
        applied = await medcrm("apply", medical, wanted, "--yes", "--prune")
        assert applied.exit_code == 0, applied.output
        same = await medcrm("diff", medical, wanted)
        assert same.output == "No differences\n"


async def test_the_first_failure_stops(copied: Path, medical: Api) -> None:
    (copied / "components/Picklist.first__c.mdl").write_text(
        "RECREATE Picklist first__c ( label('First') );"
    )
    broken = "RECREATE Object broken__c ( label('B'), prefix('V0B') );"
    (copied / "components/Object.broken__c.mdl").write_text(broken)
    later = "RECREATE Queue later__c ( label('Later'), type('inbound') );"
    (copied / "components/Queue.later__c.mdl").write_text(later)
    result = await medcrm("apply", medical, copied, "--yes")
    assert result.exit_code == 2
    assert "done  RECREATE Picklist.first__c" in result.output
    assert (
        "Error: RECREATE Object.broken__c: INVALID_DATA: Object.broken__c: "
        in result.output
    )
    assert "done  RECREATE Queue.later__c" not in result.output
    admin = await medical.signed_in("admin")
    assert (
        await admin.post("/api/mdl/execute", data="DROP Picklist first__c;")
    ).status == "SUCCESS"


async def test_some_types_only_and_a_subfolder_for_each_vault(
    tmp_path: Path, medical: Api
) -> None:
    result = await medcrm(
        "export", medical, tmp_path, "--type", "Queue", "--vault", "medical"
    )
    assert result.exit_code == 0
    folders = {
        file.parent.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*")
    }
    assert folders == {"medical/components"}
    options = ("--type", "Queue", "--vault", "medical")
    assert (
        await medcrm("diff", medical, tmp_path, *options)
    ).output == "No differences\n"
    assert (
        await medcrm("diff", medical, tmp_path, "--vault", "../medical")
    ).exit_code == 2
    unknown = await medcrm("export", medical, tmp_path, "--type", "Nothing")
    assert (unknown.exit_code, "no component type Nothing" in unknown.output) == (
        2,
        True,
    )


async def test_faults_are_shown_in_a_sentence(tmp_path: Path, medical: Api) -> None:
    nothing = await medcrm("diff", medical, tmp_path)
    assert (nothing.exit_code, nothing.output.startswith("Error: ")) == (2, True)
    forbidden = await medcrm("export", medical, tmp_path, role="user")
    assert (forbidden.exit_code, "INSUFFICIENT_ACCESS" in forbidden.output) == (2, True)
    arguments = (
        "config",
        "export",
        str(tmp_path),
        "--url",
        medical.url,
        "--username",
        USERNAMES["admin"],
    )
    wrong = await run(*arguments, answer="wrong\n", password="")
    assert (wrong.exit_code, "USERNAME_OR_PASSWORD_INCORRECT" in wrong.output) == (
        2,
        True,
    )
    unreachable = replace(medical, url="http://127.0.0.1:1")
    assert (await medcrm("export", unreachable, tmp_path)).exit_code == 2
