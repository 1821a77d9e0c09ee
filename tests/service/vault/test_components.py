"""Component changes and stored data: filled in, carried over, or refused as a whole."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

from tests.service.vault.objects import outcomes, record
from tests.service.vault.served import Answer, Api

_numbers = count(10)
STATES = """RECREATE Objectlifecycle {0} ( label('L'), starting_state('one__c'),
  Objectlifecyclestate one__c ( label('One'), Objectlifecyclestateuseraction go__c ( label('Go'),
    action('change_state'), next_state('two__c') ) ), Objectlifecyclestate two__c ( label('Two') ) );"""
VALUES = "RECREATE Picklist {0} ( label('P'), Picklistentry a__c ( label('A') ), Picklistentry b__c ( label('B') ) );"


async def mdl(api: Api, text: str) -> Answer:
    return await api.post("/api/mdl/execute", data=text)


async def changed(api: Api, text: str) -> None:
    answer = await mdl(api, text)
    assert answer.status == "SUCCESS", answer.text


async def refused(api: Api, text: str) -> str:
    """The code with which the statement was refused."""
    answer = await mdl(api, text)
    assert (answer.http_status, answer.status) == (200, "FAILURE")
    return str(answer.body["statement_execution"][-1]["errors"][0]["code"])


async def new_object(
    api: Api, fields: str = "", rows: list[dict[str, Any]] | None = None
) -> str:
    number = next(_numbers)
    name = f"changing_{number}__c"
    await changed(
        api, f"RECREATE Object {name} ( label('C'), prefix('Q{number:02}'){fields} );"
    )
    if rows:
        answer = await api.post(
            f"/vobjects/{name}", json=[{"name__v": "row", **row} for row in rows]
        )
        assert outcomes(answer) == ["SUCCESS"] * len(rows)
    return name


async def rows_of(api: Api, name: str, *fields: str) -> list[tuple[Any, ...]]:
    answer = await api.query(f"SELECT {', '.join(fields)} FROM {name} ORDER BY id")
    return [tuple(row[field] for field in fields) for row in answer.data]


FIELDS = """, Field s__c ( type('String'), label('S') ), Field n__c ( type('Number'), label('N'), scale(2) ),
  Field m__c ( type('Picklist'), label('M'), picklist('Picklist.size__c'), multi_value(true) )"""
ROWS: list[dict[str, Any]] = [
    {"s__c": "x" * 20, "n__c": "1.25", "m__c": "small__c,huge__c"},
    {"s__c": "x" * 20},
]


@pytest.mark.parametrize(
    "change",
    [
        "DROP Field s__c",
        "MODIFY Field s__c ( max_length(10) )",
        "MODIFY Field s__c ( type('Number') )",
        "MODIFY Field s__c ( unique(true) )",
        "MODIFY Field n__c ( scale(1) )",
        "MODIFY Field m__c ( multi_value(false) )",
        "MODIFY Field m__c ( picklist('Picklist.colour__c') )",
        "prefix('Q99')",
    ],
)
async def test_a_change_that_would_lose_data_is_refused_whole(
    admin: Api, change: str
) -> None:
    name = await new_object(admin, FIELDS, ROWS)
    assert await refused(
        admin,
        f"ALTER Object {name} ( ADD Field x__c ( type('Boolean'), label('X') ), {change} );",
    )
    assert await rows_of(admin, name, "s__c", "n__c", "m__c") == [
        ("x" * 20, 1.25, ["small__c", "huge__c"]),
        ("x" * 20, None, None),
    ]
    assert (await admin.query(f"SELECT x__c FROM {name}")).error == "INVALID_DATA"


async def test_a_change_that_loses_nothing_carries_the_data_over(admin: Api) -> None:
    name = await new_object(
        admin, FIELDS, [{"s__c": "abc", "n__c": "2.00", "m__c": "small__c"}]
    )
    await changed(
        admin,
        f"""ALTER Object {name} ( MODIFY Field s__c ( max_length(3), unique(true) ), MODIFY Field n__c ( scale(0) ),
        MODIFY Field m__c ( multi_value(false) ), ADD Field x__c ( type('Boolean'), label('X') ) );""",
    )
    assert await rows_of(admin, name, "s__c", "n__c", "m__c", "x__c") == [
        ("abc", 2, ["small__c"], None)
    ]
    assert outcomes(
        await admin.post(f"/vobjects/{name}", json=[{"name__v": "r", "s__c": "abc"}])
    ) == ["OPERATION_NOT_ALLOWED"]


async def test_records_enter_the_lifecycle_that_their_object_is_given(
    admin: Api, user: Api
) -> None:
    name = await new_object(admin, "", [{}, {}])
    await changed(admin, STATES.format(f"for_{name}"))
    await changed(
        admin, f"ALTER Object {name} ( lifecycle('Objectlifecycle.for_{name}') );"
    )
    assert (
        await rows_of(admin, name, "lifecycle__v", "state__v")
        == [(f"for_{name}", "one__c")] * 2
    )
    ids = [row[0] for row in await rows_of(user, name, "id")]
    action = f"Objectlifecyclestateuseraction.{name}.one__c.go__c"
    assert outcomes(
        await user.post(
            f"/vobjects/{name}/actions/{action}", data={"ids": ",".join(ids)}
        )
    ) == [
        "SUCCESS",
        "SUCCESS",
    ]


async def test_a_state_that_records_are_in_stays(admin: Api) -> None:
    name = await new_object(admin)
    lifecycle = f"for_{name}"
    await changed(admin, STATES.format(lifecycle))
    await changed(
        admin, f"ALTER Object {name} ( lifecycle('Objectlifecycle.{lifecycle}') );"
    )
    await admin.post(f"/vobjects/{name}", json=[{"name__v": "r"}])
    only_two = "starting_state('two__c'), Objectlifecyclestate two__c ( label('Two') )"
    assert (
        await refused(
            admin, f"RECREATE Objectlifecycle {lifecycle} ( label('L'), {only_two} );"
        )
        == "GEN-F-410"
    )
    assert await refused(admin, f"DROP Objectlifecycle {lifecycle};") == "GEN-F-406"
    await changed(
        admin,
        f"ALTER Objectlifecycle {lifecycle} ( MODIFY Objectlifecyclestate two__c ( label('Second') ) );",
    )


@pytest.mark.parametrize("multi", ["true", "false"])
async def test_a_picklist_value_that_records_hold_stays(admin: Api, multi: str) -> None:
    number = next(_numbers)
    values = f"values_{number}__c"
    await changed(admin, VALUES.format(values))
    field = f", Field p__c ( type('Picklist'), label('P'), picklist('Picklist.{values}'), multi_value({multi}) )"
    name = await new_object(admin, field, [{"p__c": "a__c"}])
    assert (
        await refused(admin, f"ALTER Picklist {values} ( DROP Picklistentry a__c );")
        == "GEN-F-410"
    )
    await changed(admin, f"ALTER Picklist {values} ( DROP Picklistentry b__c );")
    await changed(
        admin,
        f"ALTER Picklist {values} ( MODIFY Picklistentry a__c ( active(false) ) );",
    )
    assert await rows_of(admin, name, "p__c") == [(["a__c"],)]
    assert outcomes(
        await admin.post(f"/vobjects/{name}", json=[{"name__v": "r", "p__c": "a__c"}])
    ) == ["INVALID_DATA"]


async def test_an_object_goes_when_nothing_is_left_of_it(admin: Api) -> None:
    name = await new_object(admin, "", [{}])
    user_of_it = await new_object(
        admin, f", Field r__c ( type('Object'), label('R'), object('Object.{name}') )"
    )
    assert await refused(admin, f"DROP Object {name};") == "GEN-F-406"
    await changed(admin, f"DROP Object {user_of_it};")
    assert await refused(admin, f"DROP Object {name};") == "GEN-F-410"
    ((record_id,),) = await rows_of(admin, name, "id")
    await admin.delete(f"/vobjects/{name}", json=[{"id": record_id}])
    await changed(admin, f"DROP Object {name};")
    assert (
        await admin.post(f"/vobjects/{name}", json=[{"name__v": "r"}])
    ).error == "INVALID_DATA"


async def test_an_object_type_with_records_stays(admin: Api) -> None:
    await changed(
        admin,
        "RECREATE Object staying__c ( label('Staying'), allow_types(true) ); "
        "RECREATE Objecttype staying__c.better__c ( label('Better') );",
    )
    answer = await admin.post(
        "/vobjects/staying__c",
        json=[{"name__v": "k", "object_type__v.api_name__v": "better__c"}],
    )
    stored = await record(admin, "staying__c", answer.ids[0])
    assert await refused(admin, "DROP Objecttype staying__c.better__c;") == "GEN-F-410"
    await admin.delete("/vobjects/staying__c", json=[{"id": answer.ids[0]}])
    await changed(
        admin,
        "DROP Objecttype staying__c.better__c; CREATE Objecttype staying__c.better__c ( label('B') );",
    )
    again = await admin.post(
        "/vobjects/staying__c",
        json=[{"name__v": "k", "object_type__v": stored["object_type__v"]}],
    )
    await admin.delete("/vobjects/staying__c", json=[{"id": again.ids[0]}])


async def test_a_script_stops_at_the_statement_that_is_refused(admin: Api) -> None:
    number = next(_numbers)
    answer = await mdl(
        admin,
        f"{VALUES.format(f'kept_{number}__c')} DROP Object nothing__c; {VALUES.format(f'never_{number}__c')}",
    )
    assert (answer.status, answer.body["script_execution"]["failures"]) == (
        "FAILURE",
        1,
    )
    assert [s["response"] for s in answer.body["statement_execution"]] == [
        "SUCCESS",
        "FAILURE",
    ]
    assert (
        await admin.get(f"/configuration/Picklist.kept_{number}__c")
    ).status == "SUCCESS"
    assert (
        await admin.get(f"/configuration/Picklist.never_{number}__c")
    ).status == "FAILURE"


async def test_fields_come_and_go_under_traffic(admin: Api, user: Api) -> None:
    name = await new_object(
        admin,
        ", Field k__c ( type('String'), label('K'), unique(true) )",
        [{"k__c": "first"}],
    )
    ((record_id,),) = await rows_of(admin, name, "id")
    done = asyncio.Event()

    async def traffic(worker: int) -> list[Answer]:
        answers = []
        while not done.is_set():
            answers.append(
                await user.post(
                    f"/vobjects/{name}?idParam=k__c",
                    json=[{"name__v": "r", "k__c": worker}],
                )
            )
            answers.append(await user.get(f"/vobjects/{name}/{record_id}"))
            answers.append(await user.query(f"SELECT id, k__c FROM {name}"))
        return answers

    workers = [asyncio.create_task(traffic(n)) for n in range(4)]
    for _ in range(5):
        await changed(
            admin,
            f"ALTER Object {name} ( ADD Field x__c ( type('String'), label('X') ) );",
        )
        await changed(admin, f"ALTER Object {name} ( DROP Field x__c );")
    done.set()
    answers = [answer for worker in workers for answer in await worker]
    assert {(answer.http_status, answer.status) for answer in answers} == {
        (200, "SUCCESS")
    }


async def test_a_value_is_never_stored_after_its_field_went(
    admin: Api, user: Api
) -> None:
    name = await new_object(admin, ", Field x__c ( type('String'), label('X') )")
    writes = [
        user.post(f"/vobjects/{name}", json=[{"name__v": "r", "x__c": "v"}])
        for _ in range(8)
    ]
    dropping, *answers = await asyncio.gather(
        mdl(admin, f"ALTER Object {name} ( DROP Field x__c );"), *writes
    )
    stored = [outcomes(answer) for answer in answers].count(["SUCCESS"])
    if dropping.status == "SUCCESS":
        assert stored == 0
    else:
        assert len(await rows_of(admin, name, "x__c")) == stored > 0
    assert {answer.http_status for answer in answers} == {200}
