"""A custom integration point works without code, deployed by MDL or as a package; its rule has the key."""

from __future__ import annotations

from dataclasses import dataclass, replace

import aiohttp
import pytest

from local.system import System
from shared.client.results import Row
from shared.client.transport import Request
from tests.service.vault.package_calls import form
from tests.service.vault.served import Api
from tests.system.conditions import Connected, eventually, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.messages import envelope, put_on_queue
from tests.system.overtaking import overtaken
from tests.system.test_rules import item_of
from tests.system.test_transfer import create, one
from tests.unit.packages.building import component_files, data_files, vpk

LIFECYCLE = """CREATE Objectlifecycle {source}_lifecycle__c (
    label('Sample'), starting_state('kept_state__c'),
    Objectlifecyclestate kept_state__c (
        label('Kept'),
        Objectlifecyclestateuseraction send__c (
            label('Send'), order(1), action('change_state'), next_state('sent_state__c')
        )
    ),
    Objectlifecyclestate sent_state__c (
        label('Sent'),
        Objectlifecyclestateuseraction keep__c (
            label('Keep'), order(1), action('change_state'), next_state('kept_state__c')
        ),
        Objectlifecyclestateentryaction message__c (
            action('send_message'), order(1), queue('crm_to_medical_outbound_queue__v'),
            integration_point('{point}'), event('sent')
        )
    )
);"""
SOURCE = """CREATE Object {source}__c (
    label('Sample'), prefix('{prefix}'), lifecycle('Objectlifecycle.{source}_lifecycle__c'),
    Field lot__c (label('Lot'), type('String'), max_length(40)),
    Field amount__c (label('Amount'), type('Number'), scale(10))
);"""
TARGET = """RECREATE Object {target} (
    label('Sample Copy'), prefix('{prefix}'),
    Field link__sys (unique(true)),
    Field crm_id__c (label('CRM ID'), type('String'), max_length(50), unique(true)),
    Field lot__c (label('Lot'), type('String'), max_length(40)),
    Field amount__c (label('Amount'), type('Number'), scale(10)),
    Field note__c (label('Note'), type('String'), max_length(40))
);"""
RULE = """RECREATE Integrationrule {target} (
    label('Sample Integration Rule'), connection('medical_crm__v'), integration_point('{point}'),
    primary_query_object('{source}__c'),
    Fieldrule key__c (
        target_object('Object.{target}'), target_object_field('Field.{key}'),
        query_object('{source}__c'), query_field('{key_source}')
    ),
    Fieldrule name__c (
        target_object('Object.{target}'), target_object_field('Field.name__v'),
        query_object('{source}__c'), query_field('name__v')
    ),
    Fieldrule lot__c (
        target_object('Object.{target}'), target_object_field('Field.lot__c'),
        query_object('{source}__c'), query_field('lot__c')
    ),
    Fieldrule amount__c (
        target_object('Object.{target}'), target_object_field('Field.amount__c'),
        query_object('{source}__c'), query_field('amount__c')
    )
);"""

DOCUMENT_RULE = """RECREATE Integrationrule {target} (
    label('Sample Document Integration Rule'), connection('medical_crm__v'), integration_point('{point}'),
    primary_query_object('{source}__c'),
    Fieldrule key__c (
        target_docfield('Docfield.link__sys'), query_object('{source}__c'), query_field('global_id__sys')
    ),
    Fieldrule name__c ( target_docfield('Docfield.name__v'), query_object('{source}__c'), query_field('name__v') ),
    Fieldrule type__c ( target_docfield('Docfield.type__v'), field_default('medical_response__v') ),
    Fieldrule product__c (
        target_docfield('Docfield.product__v'), field_default('P-1001'), field_default_type('reference'),
        target_obj_field_ref_obj('Object.product__v'), target_field_lookup('external_id__v')
    ),
    Fieldrule title__c ( target_docfield('Docfield.title__v'), query_object('{source}__c'), query_field('lot__c') )
);"""
AMOUNT = "12345678901234.0123456789"  # more digits than a float holds


@dataclass(frozen=True)
class Custom:
    """Names of one custom integration, and the key of its rule."""

    way: str
    key_source: str
    key: str
    point: str = ""

    @property
    def names(self) -> dict[str, str]:
        source = f"sample_{self.way}"
        return {
            "source": source,
            "target": f"{source}_copy__c",
            "point": self.point or f"{source}_inbound__c",
            "integration": f"{source}__c",
            "prefix": f"ZQ{self.way[0].upper()}",
            "key": self.key,
            "key_source": self.key_source,
        }

    def written(self, text: str) -> str:
        return text.format_map(self.names)

    def records(self) -> dict[str, Row]:
        """The integration on the connection that there is, and its point, by object."""
        named = self.names
        return {
            "integration__sys": {
                "integration_api_name__sys": named["integration"],
                "name__v": f"Samples by {self.way}",
                "connection__sysr.api_name__sys": "medical_crm__v",
                "status__v": "active__v",
            },
            "integration_point__sys": {
                "integration_point_api_name__sys": named["point"],
                "name__v": f"Samples by {self.way}",
                "integration__sysr.integration_api_name__sys": named["integration"],
                "direction__sys": "inbound__sys",
            },
        }


async def deploy_mdl(connected: Connected, custom: Custom) -> None:
    await connected.medical.execute_mdl(custom.written(TARGET) + custom.written(RULE))
    for object_name, row in custom.records().items():
        await create(connected.medical, object_name, row)


async def deploy_package(running: System, connected: Connected, custom: Custom) -> None:
    integration, point = (
        data_files(number, object_name, "Upsert", csv(row), next(iter(row)))
        for number, (object_name, row) in enumerate(custom.records().items(), start=30)
    )
    target = custom.names["target"]
    content = vpk(
        component_files(10, f"Object.{target}", custom.written(TARGET)),
        component_files(20, f"Integrationrule.{target}", custom.written(RULE)),
        integration,
        point,
    )
    file_name = f"{custom.way}.vpk"
    sign_in = running.sign_ins()["medical_vault"]["admin"]
    async with aiohttp.ClientSession() as http:
        api = Api(http, running.endpoints()["medical_vault"]["url"])
        credentials = {"username": sign_in["username"], "password": sign_in["password"]}
        session = (await api.post("/auth", data=credentials)).body["sessionId"]
        await replace(api, session_id=session).put(
            "/services/package", data=form(content, file_name)
        )
    package = await package_at(connected, file_name, "verified__v")
    path = f"/api/v25.1/vobject/vault_package__v/{package}/actions/deploy"
    await connected.medical.call(Request("deploy", "POST", path))
    await package_at(connected, file_name, "deployed__v")


async def package_at(connected: Connected, file_name: str, status: str) -> str:
    """The id of the package from this file, once it has the status."""
    text = f"SELECT id, package_status__v FROM vault_package__v WHERE file_name__v = '{file_name}'"

    async def there() -> bool:
        return [
            row["package_status__v"]
            for row in (await connected.medical.query(text)).rows
        ] == [[status]]

    await eventually(f"package status {status}", there)
    return str((await one(connected.medical, text))["id"])


def csv(row: Row) -> str:
    return f"{','.join(row)}\r\n{','.join(map(str, row.values()))}\r\n"


async def send(connected: Connected, custom: Custom, record: str, lot: str) -> None:
    """Change the source record, send a message about it, and wait until the copy has the change."""
    named = custom.names
    name = f"{named['source']}__c"
    actions = f"Objectlifecyclestateuseraction.{name}"
    (result,) = await connected.crm.update(name, [{"id": record, "lot__c": lot}])
    assert result.ok, result.errors
    await connected.crm.run_action(name, record, f"{actions}.kept_state__c.send__c")
    await connected.crm.run_action(name, record, f"{actions}.sent_state__c.keep__c")

    async def copied() -> bool:
        return bool(
            (
                await connected.medical.query(
                    f"SELECT id FROM {named['target']} WHERE lot__c = '{lot}'"
                )
            ).rows
        )

    await eventually(f"the copy of lot {lot}", copied)


@pytest.mark.parametrize(
    "custom",
    [
        Custom("mdl", "global_id__sys", "link__sys"),
        Custom("package", "id", "crm_id__c"),
    ],
    ids=["MDL, key from global_id__sys", "package, key from id"],
)
async def test_a_custom_point_upserts_by_the_key_of_its_rule(
    running: System, connected: Connected, custom: Custom
) -> None:
    run, target = new_run(), custom.names["target"]
    await connected.crm.execute_mdl(custom.written(LIFECYCLE) + custom.written(SOURCE))
    if custom.way == "mdl":
        await deploy_mdl(connected, custom)
    else:
        await deploy_package(running, connected, custom)
    record, other = [
        await create(
            connected.crm,
            f"{custom.names['source']}__c",
            {"name__v": f"{run} {n}", "amount__c": AMOUNT},
        )
        for n in range(2)
    ]
    keys = {"id": record, "global_id__sys": f"{connected.crm.vault_id}_{record}"}

    await send(connected, custom, record, f"{run} A")
    fields = (
        f"SELECT id, name__v, lot__c, {custom.key}, amount__c, note__c FROM {target}"
    )
    made = await one(connected.medical, fields)
    assert made == {
        "id": made["id"],
        "name__v": f"{run} 0",
        "lot__c": f"{run} A",
        custom.key: keys[custom.key_source],
        "amount__c": AMOUNT,
        "note__c": None,
    }

    await connected.medical.update(target, [{"id": made["id"], "note__c": "by hand"}])
    await send(connected, custom, record, f"{run} B")
    assert await one(connected.medical, fields) == made | {
        "lot__c": f"{run} B",
        "note__c": "by hand",
    }

    await send(connected, custom, other, f"{run} C")
    assert len((await connected.medical.query(fields)).rows) == 2


async def test_a_rule_fills_documents(
    connected: Connected, asker: ConnectorCaller
) -> None:
    run, custom = new_run(), Custom("documents", "global_id__sys", "link__sys")
    await connected.crm.execute_mdl(custom.written(LIFECYCLE) + custom.written(SOURCE))
    await connected.medical.execute_mdl(custom.written(DOCUMENT_RULE))
    for object_name, row in custom.records().items():
        await create(connected.medical, object_name, row)
    source = f"{custom.names['source']}__c"
    record = await create(connected.crm, source, {"name__v": run, "lot__c": f"{run} A"})

    async def written(title: str, *records: str) -> Row:
        items = envelope(
            [*records, record], point=custom.names["point"], object_name=source
        )
        await put_on_queue(connected, items.encode())
        text = (
            "SELECT id, name__v, title__v, TONAME(type__v) AS kind, product__vr.external_id__v, version_id "
            f"FROM documents WHERE link__sys = '{connected.crm.vault_id}_{record}'"
        )

        async def there() -> bool:
            return [
                row["title__v"] for row in (await connected.medical.query(text)).rows
            ] == [title]

        await eventually(f"a document with the title {title}", there)
        return await one(connected.medical, text)

    made = await written(f"{run} A")
    assert made == {
        "id": made["id"],
        "name__v": run,
        "title__v": f"{run} A",
        "kind": "medical_response__v",
        "product__vr.external_id__v": "P-1001",
        "version_id": f"{made['id']}_0_1",
    }
    await connected.crm.update(source, [{"id": record, "lot__c": f"{run} B"}])
    asked = {"rule": custom.names["target"], "ids": [record]}
    (shown,) = (await asker.ask("POST", "previews/medical", json=asked))["data"]
    assert shown["findings"] == []
    assert [
        (write["object"], write["event"], write["changes"]) for write in shown["writes"]
    ] == [
        (
            "documents",
            "updated",
            {"title__v": {"stored": f"{run} A", "new": f"{run} B"}},
        )
    ]
    assert await written(f"{run} B") == {**made, "title__v": f"{run} B"}

    copy = {
        "name__v": "Twice",
        "type__v": "medical_response__v",
        "link__sys": f"{connected.crm.vault_id}_{record}",
    }
    assert all(result.ok for result in await connected.medical.create_documents([copy]))
    await put_on_queue(
        connected,
        envelope([record], point=custom.names["point"], object_name=source).encode(),
    )
    item = await item_of(connected, record)
    assert "several documents have this" in str(item["error_message__sys"])


async def test_a_document_is_created_once_and_no_older_state_stays_on_it(
    connected: Connected,
) -> None:
    run, custom = new_run(), Custom("once", "global_id__sys", "link__sys")
    await connected.crm.execute_mdl(custom.written(LIFECYCLE) + custom.written(SOURCE))
    await connected.medical.execute_mdl(custom.written(DOCUMENT_RULE))
    for object_name, row in custom.records().items():
        await create(connected.medical, object_name, row)
    source = f"{custom.names['source']}__c"
    record = await create(connected.crm, source, {"name__v": run, "lot__c": f"{run} A"})
    text = f"SELECT title__v FROM documents WHERE link__sys = '{connected.crm.vault_id}_{record}'"
    for title in (f"{run} B", f"{run} C"):  # when it is created, and when it is there

        async def newer_state(title: str = title) -> None:
            await connected.crm.update(source, [{"id": record, "lot__c": title}])

        await overtaken(connected, custom.names["point"], source, record, newer_state)
        assert (await connected.medical.query(text)).rows == [{"title__v": title}]
