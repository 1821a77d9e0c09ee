"""Reference lookups: the Vault sets the key of rows; each source key of a set exists once."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.objects import outcomes, record
from tests.service.vault.served import Api, served, settings, started
from tests.service.vault.vault_databases import vault_database

OBJECT = "reference_lookup__sys"
ROWS = f"/vobjects/{OBJECT}"
UPSERT = f"{ROWS}?idParam=lookup_key__sys"


@pytest.fixture(scope="module")
async def admin(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        vault = Vault(
            MEDICAL_VAULT,
            settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("files")),
        )
        async with served(create_app(vault)) as api:
            await started(vault)
            yield await api.signed_in("admin")


def new_set() -> str:
    return f"set_{uuid4().hex[:8]}__c"


def row(name: str, source: str = "a__v", **fields: str) -> dict[str, str]:
    return {
        "connection__sysr.api_name__sys": "medical_crm__v",
        "reference_lookup_name__sys": name,
        "reference_lookup_type__sys": "generic__sys",
        "source_key__sys": source,
        "target_key__sys": "target",
        **fields,
    }


async def test_a_csv_has_an_answer_for_each_row_and_a_source_key_stands_once(
    admin: Api,
) -> None:
    name = new_set()
    text = io.StringIO()
    writer = csv.DictWriter(text, row(name))
    writer.writeheader()
    writer.writerows(
        [
            row(name, "a__v"),
            row(name, "b__v"),
            row(name, "a__v"),
            row(name, "c__v", target_key__sys=""),
        ]
    )
    answer = await admin.post(
        ROWS, data=text.getvalue().encode(), headers={"Content-Type": "text/csv"}
    )
    assert outcomes(answer) == [
        "SUCCESS",
        "SUCCESS",
        "OPERATION_NOT_ALLOWED",
        "PARAMETER_REQUIRED",
    ]
    again = await admin.post(ROWS, json=[row(name, "b__v"), row(name, "d__v")])
    assert outcomes(again) == ["OPERATION_NOT_ALLOWED", "SUCCESS"]
    found = await admin.query(
        f"SELECT lookup_key__sys FROM {OBJECT} WHERE reference_lookup_name__sys = '{name}'"
    )
    assert {each["lookup_key__sys"] for each in found.data} == {
        f"medical_crm__v:{name}:{source}" for source in ("a__v", "b__v", "d__v")
    }


async def test_an_upsert_by_its_key_changes_the_target_key(admin: Api) -> None:
    name = new_set()
    key = {"lookup_key__sys": f"medical_crm__v:{name}:a__v"}
    one, two = [
        await admin.post(UPSERT, json=[row(name, target_key__sys=n) | key])
        for n in ("one", "two")
    ]
    assert one.ids == two.ids
    assert (await record(admin, OBJECT, two.ids[0]))["target_key__sys"] == "two"
    refused = await admin.post(UPSERT, json=[row(name) | {"lookup_key__sys": "mine"}])
    assert "or left out" in refused.data[0]["errors"][0]["message"]


@pytest.mark.parametrize(
    "field", ["source_key__sys", "reference_lookup_name__sys", "lookup_key__sys"]
)
async def test_a_row_stays_the_row_of_its_source_key(admin: Api, field: str) -> None:
    (identifier,) = (await admin.post(ROWS, json=[row(new_set())])).ids
    answer = await admin.put(ROWS, json=[{"id": identifier, field: "other__c"}])
    assert outcomes(answer) == ["OPERATION_NOT_ALLOWED"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reference_lookup_name__sys": "Not a name"}, "must be lower-case"),
        ({"reference_lookup_name__sys": "no_ending"}, "end in __c"),
        ({"reference_lookup_type__sys": "object__sys"}, "needs [target_object__sys]"),
        ({"source_key__sys": ""}, "[source_key__sys]"),
        ({"connection__sysr.api_name__sys": ""}, "[connection__sys]"),
    ],
)
async def test_what_a_row_has_to_say(
    admin: Api, fields: dict[str, str], said: str
) -> None:
    answer = await admin.post(ROWS, json=[row(new_set()) | fields])
    assert said in answer.data[0]["errors"][0]["message"]


async def test_a_target_object_is_not_taken_from_a_set_of_objects(admin: Api) -> None:
    fields = {
        "reference_lookup_type__sys": "object__sys",
        "target_object__sys": "specialty__v",
    }
    (identifier,) = (await admin.post(ROWS, json=[row(new_set(), **fields)])).ids
    answer = await admin.put(ROWS, json=[{"id": identifier, "target_object__sys": ""}])
    assert outcomes(answer) == ["PARAMETER_REQUIRED"]
    kept = await admin.put(
        ROWS, json=[{"id": identifier, "target_key_field__sys": "specialty_code__v"}]
    )
    assert outcomes(kept) == ["SUCCESS"]


FILES = "/services/reference_lookups"


async def test_a_file_is_uploaded_changed_and_downloaded(admin: Api) -> None:
    name = new_set()

    async def send(*targets: tuple[str, str]) -> list[str]:
        text = io.StringIO()
        writer = csv.DictWriter(text, row(name))
        writer.writeheader()
        for source, target in targets:
            writer.writerow(row(name, source, target_key__sys=target))
        headers = {"Content-Type": "text/csv"}
        content = text.getvalue().encode()
        return outcomes(await admin.post(FILES, data=content, headers=headers))

    assert await send(("a__v", "one"), ("b__v", "=1+1")) == ["SUCCESS", "SUCCESS"]
    assert await send(
        ("a__v", "two"), ("c__v", "three"), ("a__v", "four"), ("", "five")
    ) == ["SUCCESS", "SUCCESS", "OPERATION_NOT_ALLOWED", "PARAMETER_REQUIRED"]
    answer = await admin.get(f"{FILES}?connection=medical_crm__v")
    found = [
        each
        for each in csv.DictReader(io.StringIO(answer.text, newline=""))
        if each["reference_lookup_name__sys"] == name
    ]
    assert [(each["source_key__sys"], each["target_key__sys"]) for each in found] == [
        ("a__v", "two"),
        ("b__v", "'=1+1"),
        ("c__v", "three"),
    ]
    again = await admin.post(
        FILES, data=answer.text.encode(), headers={"Content-Type": "text/csv"}
    )
    assert set(outcomes(again)) == {"SUCCESS"} | set(outcomes(again)) & {"WARNING"}
    kept = await admin.query(
        f"SELECT target_key__sys FROM {OBJECT} WHERE lookup_key__sys = 'medical_crm__v:{name}:b__v'"
    )
    assert kept.data == [{"target_key__sys": "=1+1"}]


async def test_files_of_connections_that_are_not_there(admin: Api) -> None:
    answer = await admin.get(f"{FILES}?connection=nothing__c")
    empty = await admin.get(f"{FILES}/template")
    assert answer.text.partition(",")[2] == empty.text
    unknown = row(new_set()) | {"connection__sysr.api_name__sys": "nothing__c"}
    assert outcomes(await admin.post(FILES, json=[unknown])) != ["SUCCESS"]


async def test_white_space_around_keys_is_taken_off(admin: Api) -> None:
    name = new_set()
    spaced = row(name, " a__v\t", target_key__sys="\u00a0b__v ")
    (created,) = outcomes(await admin.post(ROWS, json=[spaced]))
    assert created == "SUCCESS"
    again = await admin.post(ROWS, json=[row(name, "a__v")])
    assert again.data[0]["errors"][0]["type"] == "OPERATION_NOT_ALLOWED"
    found = await stored(admin, name)
    key = f"medical_crm__v:{name}:a__v"
    assert found == [(key, "a__v", "b__v")]
    # An update by the key changes the target, and the source key is no other one.
    update = {"lookup_key__sys": key, **spaced, "target_key__sys": " c__v "}
    assert outcomes(await admin.post(UPSERT, json=[update])) == ["SUCCESS"]
    assert await stored(admin, name) == [(key, "a__v", "c__v")]


async def test_white_space_around_keys_of_a_file_is_taken_off(admin: Api) -> None:
    name = new_set()
    columns = [each for each in row(name) if each != "lookup_key__sys"]
    lines = [columns, list(row(name, " a__v ", target_key__sys="d__v ").values())]
    sheet = io.StringIO(newline="")
    csv.writer(sheet).writerows(lines)
    for _ in range(2):
        answer = await admin.post(
            "/services/reference_lookups",
            data=sheet.getvalue(),
            headers={"Content-Type": "text/csv"},
        )
        assert outcomes(answer) == ["SUCCESS"], answer.text
    assert await stored(admin, name) == [
        (f"medical_crm__v:{name}:a__v", "a__v", "d__v")
    ]


async def stored(admin: Api, name: str) -> list[tuple[str, str, str]]:
    """Key, source key and target key of the rows of a set."""
    columns = ("lookup_key__sys", "source_key__sys", "target_key__sys")
    text = (
        f"SELECT {', '.join(columns)} FROM {OBJECT} "
        f"WHERE reference_lookup_name__sys = '{name}' ORDER BY lookup_key__sys"
    )
    answer = await admin.query(text)
    return [tuple(found[column] for column in columns) for found in answer.data]
