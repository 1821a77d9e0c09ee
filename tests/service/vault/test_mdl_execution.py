"""MDL over HTTP: conditions, renamed components and their data, exported shapes, scripts as jobs."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

import tests.unit.components
from local.polling import answers_within
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.components.registry import MAX_CUSTOM_OBJECTS
from shared.vault.configuration import component_jobs
from shared.vault.configuration.component_service import MAX_STATEMENTS
from shared.vault.configuration.scripts import StatementResult
from shared.vault.jobs.job_model import JobContext, JobRun, JobStatus
from tests.service.vault.served import Answer, Api

SHAPES = (Path(tests.unit.components.__path__[0]) / "real_shapes.mdl").read_text(
    encoding="utf-8"
)
BARREL = """
RECREATE Picklist weight__c (label('Weight'), Picklistentry light__c (label('Light')),
  Picklistentry heavy__c (label('Heavy')));
RECREATE Objectlifecycle barrel_lifecycle__c (label('Barrel'), starting_state('open__c'),
  Objectlifecyclestate open__c (label('Open')), Objectlifecyclestate shut__c (label('Shut')));
RECREATE Object barrel__c (label('Barrel'), allow_types(true), lifecycle('Objectlifecycle.barrel_lifecycle__c'),
  Field name__v (system_managed_name(true), value_format('C-{###}')),
  Field code__c (label('Code'), type('String'), unique(true)),
  Field weight__c (label('Weight'), type('Picklist'), picklist('Picklist.weight__c')),
  Field weights__c (label('Weights'), type('Picklist'), picklist('Picklist.weight__c'), multi_value(true)),
  Field inside__c (label('Inside'), type('Object'), object('barrel__c'), relationship_inbound_name('barrels__cr')));
RECREATE Objecttype barrel__c.wooden__c (label('Wooden'));
"""


async def mdl(api: Api, text: str) -> Answer:
    return await api.post("/api/mdl/execute", data=text.encode())


async def executed(api: Api, text: str) -> Answer:
    answer = await mdl(api, text)
    assert answer.status == "SUCCESS", answer.text
    return answer


async def refused(api: Api, text: str) -> tuple[str, str]:
    """Code and message of the statement that was refused."""
    answer = await mdl(api, text)
    assert (answer.http_status, answer.status) == (200, "FAILURE"), answer.text
    error = answer.body["statement_execution"][-1]["errors"][0]
    return error["code"], error["message"]


async def test_renamed_components_take_their_data_along(admin: Api) -> None:
    await executed(admin, BARREL)
    made = await admin.post(
        "/vobjects/barrel__c",
        json=[{"code__c": "1", "weight__c": "heavy__c", "weights__c": "heavy__c,light__c",
               "object_type__v.api_name__v": "wooden__c"}],
    )  # fmt: skip
    (barrel,) = made.ids
    await admin.post(
        "/vobjects/barrel__c", json=[{"code__c": "2", "inside__c": barrel}]
    )
    answer = await executed(
        admin,
        """ALTER Picklist weight__c (RENAME Picklistentry heavy__c TO weighty__c);
           ALTER Objectlifecycle barrel_lifecycle__c (RENAME Objectlifecyclestate open__c TO opened__c);
           RENAME Objectlifecycle barrel_lifecycle__c TO cask_lifecycle__c;
           RENAME Picklist weight__c TO mass__c;
           RENAME Objecttype barrel__c.wooden__c TO barrel__c.timber__c;
           ALTER Object barrel__c (RENAME Field code__c TO number__c, label('Box'));
           RENAME Object barrel__c TO cask__c;""",
    )
    assert answer.body["script_execution"]["components_affected"] == 7
    rows = await admin.query(
        "SELECT id, name__v, number__c, weight__c, weights__c, state__v, lifecycle__v, object_type__v,"
        " (SELECT number__c FROM barrels__cr) FROM cask__c WHERE number__c = '1'"
    )
    (row,) = rows.data
    types = {
        t["name"]
        for t in (await admin.get("/metadata/vobjects/cask__c")).body["object"][
            "object_types"
        ]
    }
    assert types == {"base__v", "timber__c"}
    assert (row["id"], row["name__v"], row["state__v"]) == (
        barrel,
        "C-001",
        "opened__c",
    )
    assert (row["weight__c"], sorted(row["weights__c"])) == (
        ["weighty__c"],
        ["light__c", "weighty__c"],
    )
    assert row["lifecycle__v"] == "cask_lifecycle__c"
    assert [inner["number__c"] for inner in row["barrels__cr"]["data"]] == ["2"]
    timber = await admin.query(
        f"SELECT id FROM cask__c WHERE object_type__v = '{row['object_type__v']}'"
    )
    assert [found["id"] for found in timber.data] == [barrel]
    # Names, keys and references go on as before, and the old names are free.
    assert (await admin.post("/vobjects/cask__c", json=[{"number__c": "1"}])).data[0][
        "responseStatus"
    ] == "FAILURE"
    again = await admin.post(
        "/vobjects/cask__c",
        json=[{"number__c": "3", "object_type__v.api_name__v": "timber__c"}],
    )
    (third,) = again.ids
    assert (await admin.get(f"/vobjects/cask__c/{third}")).data["name__v"] > "C-002"
    assert (await admin.get("/metadata/vobjects/barrel__c")).error == "INVALID_DATA"
    await executed(admin, BARREL)
    await executed(
        admin,
        """ALTER Object cask__c (MODIFY Field inside__c (relationship_deletion('setnull')),
             MODIFY Field number__c (unique(false)), ADD Field code__c (label('C'), type('String'), unique(true)));""",
    )


async def test_conditions_leave_things_as_they_are(admin: Api) -> None:
    answer = await executed(
        admin,
        "CREATE Picklist IF NOT EXISTS only__c (label('Only')); CREATE Picklist IF NOT EXISTS only__c (label('Two'));"
        "DROP Picklist IF EXISTS never__c",
    )
    assert answer.body["script_execution"]["components_affected"] == 1
    statements = answer.body["statement_execution"]
    assert [s["message"] for s in statements] == [
        "[SUCCESS] CREATE Picklist only__c",
        "[SUCCESS] CREATE Picklist only__c: nothing to do",
        "[SUCCESS] DROP Picklist never__c: nothing to do",
    ]
    assert (await admin.get("/configuration/Picklist.only__c")).data["label"] == "Only"


async def test_data_is_not_lost_by_a_change_of_the_configuration(admin: Api) -> None:
    name = "guarded__c"
    await executed(
        admin,
        f"""RECREATE Picklist guard__c (label('G'), Picklistentry a__c (label('A')), Picklistentry b__c (label('B')));
            RECREATE Object {name} (label('G'),
              Field pick__c (label('P'), type('Picklist'), picklist('Picklist.guard__c')));""",
    )
    (record,) = (
        await admin.post(
            f"/vobjects/{name}", json=[{"name__v": "x", "pick__c": "a__c"}]
        )
    ).ids
    assert (await refused(admin, "ALTER Picklist guard__c (DROP Picklistentry a__c);"))[
        0
    ] == "GEN-F-410"
    await executed(
        admin,
        "ALTER Picklist guard__c (DROP Picklistentry b__c, MODIFY Picklistentry a__c (active(false)));",
    )
    await executed(
        admin,
        f"""RECREATE Objectlifecycle guard_lifecycle__c (label('G'), starting_state('one__c'),
              Objectlifecyclestate one__c (label('One')), Objectlifecyclestate two__c (label('Two')));
            ALTER Object {name} (available_lifecycles('Objectlifecycle.guard_lifecycle__c'), allow_types(true));""",
    )
    data = (await admin.get(f"/vobjects/{name}/{record}")).data
    assert (data["state__v"], data["lifecycle__v"]) == (
        ["one__c"],
        ["guard_lifecycle__c"],
    )
    (base,) = (await admin.query(f"SELECT object_type__v FROM {name}")).data
    assert base["object_type__v"].startswith("OOT")
    inactive = "MODIFY Objectlifecyclestate one__c (active(false))"
    dropped = "DROP Objectlifecyclestate one__c"
    other_start = "starting_state('two__c')"
    for change in (inactive, f"{other_start}, {inactive}", f"{other_start}, {dropped}"):
        assert (
            await refused(
                admin, f"ALTER Objectlifecycle guard_lifecycle__c ({change});"
            )
        )[0] == "GEN-F-410"
    await executed(
        admin,
        "ALTER Objectlifecycle guard_lifecycle__c (MODIFY Objectlifecyclestate two__c (active(false)));",
    )


async def test_a_component_in_use_is_not_dropped(admin: Api) -> None:
    await executed(
        admin,
        """RECREATE Picklist shared__c (label('S'));
           RECREATE Tab shared_tab__c (label('T'), order(1), filter({<f list="Picklist.shared__c"/>}));""",
    )
    code, message = await refused(admin, "DROP Picklist shared__c;")
    assert (code, "Tab.shared_tab__c" in message) == ("GEN-F-406", True)
    picklist = (await admin.get("/configuration/Picklist.shared__c")).data
    assert picklist["used_in"] == ["Tab.shared_tab__c"]
    await executed(admin, "DROP Tab shared_tab__c; DROP Picklist shared__c;")


async def test_exported_shapes_are_executed_and_read_back(admin: Api) -> None:
    await executed(admin, "\ufeff" + SHAPES.replace("\n", "\r\n"))
    for name in (
        "Object.sample_request__c",
        "Objectlifecycle.sample_request_lifecycle__c",
        "Tab.samples__c",
    ):
        text = (await admin.get(f"/api/mdl/components/{name}")).text
        await executed(admin, text)
        assert (await admin.get(f"/api/mdl/components/{name}")).text == text
    layout = (
        await admin.get(
            "/configuration/Pagelayout.sample_request_detail_page_layout__c"
        )
    ).data
    assert layout["page_markup"].startswith("<vault:page ")
    assert layout["used_in"] == [
        "Layoutrule.sample_request_detail_page_layout__c.initial__c"
    ]
    made = await admin.post("/vobjects/sample_recipient__c", json=[{"name__v": "R"}])
    row = {"recipient__c": made.ids[0], "cost__c": "1.50", "urgency__c": "high__c"}
    (request,) = (await admin.post("/vobjects/sample_request__c", json=[row])).ids
    data = (await admin.get(f"/vobjects/sample_request__c/{request}")).data
    assert (data["name__v"], data["state__v"]) == ("SR-000001", ["opened_state__c"])


async def test_object_types_as_configuration(admin: Api) -> None:
    await executed(
        admin,
        """RECREATE Object sorted__c (label('Sorted'), allow_types(true));
           RECREATE Objecttype sorted__c.first__c (label('First'), label_plural('Firsts'), description('One'),
             Typefield name__v (required(true)));""",
    )
    listed = (await admin.get("/configuration/Objecttype")).data
    single = (await admin.get("/configuration/Objecttype.sorted__c.first__c")).data
    assert single == {
        "name": "first__c",
        "object": "sorted__c",
        "active": True,
        "label": "First",
        "label_plural": "Firsts",
        "description": "One",
        "additional_type_validations": [],
        "type_fields": [{"name": "name__v", "required": True, "source": "standard"}],
    }
    assert single in listed
    base = (await admin.get("/configuration/Objecttype.sorted__c.base__v")).data
    assert {"name": "link__sys", "required": False, "source": "system"} in base[
        "type_fields"
    ]
    assert (
        await admin.get("/configuration/Objecttype.sorted__c.never__c")
    ).error == "INVALID_DATA"


OBJECT_OF_OTHERS = """
RECREATE Object tambourine__c (label('Tambourine'), label_plural('Tambourines'), allow_types(false),
  Field player__c (label('Player'), type('ObjectReference'), object('user__sys')),
  Field profile__c (label('Profile'), type('ObjectReference'), object('security_profile__sys')));
RECREATE Objecttype tambourine__c.base__v (label('Base Tambourine'), Typefield name__v (required(true)));
"""


async def test_an_object_as_other_vaults_export_it_takes_records(admin: Api) -> None:
    answer = await executed(admin, OBJECT_OF_OTHERS)
    (warning,) = answer.body["statement_execution"][0]["warnings"]
    assert "Field profile__c object" in warning["message"]
    me = (await admin.get("/objects/users/me")).body["users"][0]["user"]
    rows = [{"name__v": "One", "player__c": str(me["id"])}]
    await admin.post("/vobjects/tambourine__c", json=rows)
    found = await admin.query("SELECT player__cr.username__sys FROM tambourine__c")
    assert found.data == [{"player__cr.username__sys": me["user_name__v"]}]
    # No record has a type that it could lose.
    await executed(admin, "DROP Objecttype tambourine__c.base__v;")


async def test_component_types_that_are_kept_are_listed_too(integration: Api) -> None:
    types = {t["name"]: t for t in (await integration.get("/metadata/components")).data}
    assert types["Pagelayout"]["class"] == "metadata"
    assert types["Recordtrigger"]["class"] == "code"
    tab = (await integration.get("/metadata/components/Tab")).data
    assert [sub["json_collection_name"] for sub in tab["sub_components"]] == ["Subtab"]
    field = (await integration.get("/metadata/components/Object")).data[
        "sub_components"
    ][0]
    attributes = {a["name"]: a for a in field["attributes"]}
    assert attributes["type"]["requiredness"] == "required"
    assert {"name": "String"} in attributes["type"]["enums"]
    assert attributes["formula"]["type"] == "Expression"


async def test_limits_count_custom_objects(admin: Api, user: Api) -> None:
    before = (await user.get("/limits")).data
    assert before[0]["max"] == MAX_CUSTOM_OBJECTS
    await executed(admin, "CREATE Object counted__c (label('C'));")
    (after,) = (await user.get("/limits")).data
    assert after == {
        "name": "custom_objects",
        "remaining": before[0]["remaining"] - 1,
        "max": MAX_CUSTOM_OBJECTS,
    }


async def finished(api: Api, job_id: int) -> Answer:
    """The results of an MDL job that ends."""

    async def reason() -> str | None:
        answer = await api.get(f"/api/mdl/execute_async/{job_id}/results")
        return "runs" if answer.status == "WARNING" else None

    assert await answers_within(60, reason) is None
    return await api.get(f"/api/mdl/execute_async/{job_id}/results")


TWICE = """RECREATE Integrationrule twice__c (label('Twice'), connection('medical_crm__v'),
  integration_point('twice__c'), primary_query_object('thing__v'),
  Fieldrule a__c ( target_object('Object.thing__c'), target_object_field('Field.note__c'),
    query_object('thing__v'), query_field('text__v') ),
  Fieldrule b__c ( target_object('Object.thing__c'), target_object_field('Field.note__c'),
    query_object('thing__v'), query_field('other__v') ));
"""


async def test_what_a_rule_can_hardly_mean_is_a_warning_of_its_statement(
    admin: Api,
) -> None:
    for execute in (executed, as_job):
        answer = await execute(admin, TWICE)
        assert answer.body["script_execution"]["warnings"] == 2
        (statement,) = answer.body["statement_execution"]
        assert statement["response"] == "SUCCESS"
        several, key = (each["message"] for each in statement["warnings"])
        assert "Fieldrule b__c: Fieldrule a__c fills the same field" in several
        assert "no field rule gives thing__c a key" in key
    await executed(admin, "DROP Integrationrule twice__c;")


async def as_job(api: Api, text: str) -> Answer:
    """Execute a script as a job, and return its results."""
    begun = await api.post("/api/mdl/execute_async", data=text)
    return await finished(api, begun.body["job_id"])


async def test_a_script_as_a_job(admin: Api, integration: Api, vault: Vault) -> None:
    script = "CREATE Picklist later__c (label('L')); CREATE Picklist later__c (label('M')); DROP Picklist later__c;"
    answer = await admin.post(
        "/api/mdl/execute_async",
        data=script,
        headers={"Content-Type": "application/json"},
    )
    job_id = answer.body["job_id"]
    assert answer.body["url"].endswith(f"/services/jobs/{job_id}")
    assert answer.body["script_execution"]["code"] == "GEN-S-0"
    results = await finished(admin, job_id)
    assert results.status == "FAILURE"
    assert results.body["script_execution"]["components_affected"] == 1
    assert [s["response"] for s in results.body["statement_execution"]] == [
        "SUCCESS",
        "FAILURE",
    ]
    assert results.body["statement_execution"][1]["errors"][0]["code"] == "GEN-F-409"
    assert (
        await integration.get(f"/api/mdl/execute_async/{job_id}/results")
    ).error == "INSUFFICIENT_ACCESS"
    async with vault.database.connection() as connection:
        noted = await connection.fetchval(
            "SELECT checkpoint FROM platform.job WHERE job_id = $1", job_id
        )
    assert [s["component"] for s in orjson.loads(noted)["statements"]] == [
        "Picklist.later__c"
    ]


@pytest.mark.parametrize("body", ["not MDL", "CREATE Picklist x__c (label('a'"])
async def test_a_job_is_not_begun_with_what_is_no_mdl(admin: Api, body: str) -> None:
    assert (
        await admin.post("/api/mdl/execute_async", data=body)
    ).error == "INVALID_DATA"


async def test_results_of_other_jobs_are_not_shown(admin: Api) -> None:
    assert (
        await admin.get("/api/mdl/execute_async/999999/results")
    ).error == "INVALID_DATA"


async def test_a_job_taken_up_again_goes_on_behind_what_was_done(
    vault: Vault, admin: Api
) -> None:
    await executed(admin, "RECREATE Picklist resumed__c (label('R'));")
    done = asdict(StatementResult(1, "CREATE", "Picklist.resumed__c", 1))
    run = cast("JobRun", SimpleNamespace(stopping=False))
    parameters: dict[str, Any] = {"script": "CREATE Picklist resumed__c (label('R'));"}
    context = JobContext(1, SYSTEM, parameters, {"statements": [done]}, run)
    result = await vault.script_jobs.execute(context)
    assert result.status is JobStatus.SUCCESS


async def test_a_deployment_is_cancelled_while_it_waits(
    admin: Api, vault: Vault
) -> None:
    path = "/metadata/vobjects/thing__c/actions/canceldeployment"
    assert (await admin.post(path)).error == "OPERATION_NOT_ALLOWED"
    assert (
        await admin.post(path.replace("thing__c", "nothing__c"))
    ).error == "INVALID_DATA"
    async with vault.database.connection() as connection:
        job_id = await connection.fetchval(
            "INSERT INTO platform.job (job_type, title, status, parameters, created_by, modified_by, run_at)"
            " VALUES ($1, 'MDL', 'SCHEDULED', '{\"objects\": [\"thing__c\"]}', 1, 1, now() + interval '1 hour')"
            " RETURNING job_id",
            component_jobs.EXECUTE,
        )
    waiting = await admin.get(f"/api/mdl/execute_async/{job_id}/results")
    (warning,) = waiting.body["warnings"]
    assert (waiting.status, warning["warning_type"], waiting.body["job_id"]) == (
        "WARNING",
        "OPERATION_IN_PROGRESS",
        job_id,
    )
    assert (await admin.post(path)).status == "SUCCESS"
    results = await admin.get(f"/api/mdl/execute_async/{job_id}/results")
    assert (results.error, "CANCELLED" in results.message) == (
        "OPERATION_NOT_ALLOWED",
        True,
    )


@pytest.mark.parametrize("count", [MAX_STATEMENTS, MAX_STATEMENTS + 1, 100_000])
async def test_a_script_has_at_most_a_thousand_statements(
    admin: Api, count: int
) -> None:
    script = "DROP Object IF EXISTS gone__c;\n" * count
    answer = await admin.post("/api/mdl/execute", data=io.BytesIO(script.encode()))
    if count == MAX_STATEMENTS:
        assert answer.status == "SUCCESS"
    else:
        assert answer.message == "A script has at most 1000 statements"
