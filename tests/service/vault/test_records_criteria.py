"""Entry criteria and record status of lifecycle states, and the order of a list of records."""

from __future__ import annotations

from tests.service.vault.objects import key, outcomes, owner, record
from tests.service.vault.served import Api

MDL = """
RECREATE Objectlifecycle gated__c ( label('Gated'), starting_state('open__c'),
  Objectlifecyclestate open__c ( label('Open'),
    Objectlifecyclestateuseraction close__c ( label('Close'), action('change_state'), next_state('closed__c'),
      prompts('note__c') ) ),
  Objectlifecyclestate closed__c ( label('Closed'), record_status('inactive__v'),
    Objectlifecyclestateentrycriterion noted__c ( required_field('note__c') ),
    Objectlifecyclestateentrycriterion small__c ( criteria('size__c < 10'), message('It is too large') ) ) );
RECREATE Object gate__c ( label('Gate'), prefix('ZGA'), lifecycle('Objectlifecycle.gated__c'),
  Field note__c ( type('String'), label('Note'), max_length(20) ),
  Field size__c ( type('Number'), label('Size') ) );
"""
GATES = "/vobjects/gate__c"
CLOSE = "Objectlifecyclestateuseraction.gate__c.open__c.close__c"


async def test_entry_criteria(admin: Api, user: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text
    rows = [
        {"name__v": "small", "note__c": "x", "size__c": 1},
        {"name__v": "large", "note__c": "x", "size__c": 11},
        {"name__v": "empty", "size__c": 1},
    ]
    small, large, empty = (await user.post(GATES, json=rows)).ids
    answer = await user.post(
        f"{GATES}/actions/{CLOSE}", data={"ids": f"{small},{large},{empty}"}
    )
    assert outcomes(answer) == [
        "SUCCESS",
        "OPERATION_NOT_ALLOWED",
        "OPERATION_NOT_ALLOWED",
    ]
    assert answer.data[1]["errors"][0]["message"] == "It is too large"
    closed = await record(user, "gate__c", small)
    assert (closed["state__v"], closed["status__v"]) == (["closed__c"], ["inactive__v"])
    kept = await record(user, "gate__c", large)
    assert (kept["state__v"], kept["status__v"]) == (["open__c"], ["active__v"])
    # What a prompt sets counts.
    assert (
        await user.post(f"{GATES}/{empty}/actions/{CLOSE}", data={"note__c": "now"})
    ).status == "SUCCESS"


async def test_a_list_is_sorted(user: Api) -> None:
    made = [
        await owner(user, name__v=name, key__c=key())
        for name in ("zzz-2", "zzz-3", "zzz-1")
    ]
    answer = await user.get(
        "/vobjects/owner__c?fields=id,name__v&limit=2&sort=name__v%20desc,id"
    )
    assert [row["id"] for row in answer.data] == [made[1], made[0]]
    following = await user.get(answer.body["responseDetails"]["next_page"])
    assert following.data[0]["id"] == made[2]
    assert "sort=" in following.body["responseDetails"]["previous_page"]
    for wrong in ("name__v up", "name__v;", "", "name__v desc asc"):
        assert (
            await user.get("/vobjects/owner__c", params={"sort": wrong})
        ).error == "INVALID_DATA"
