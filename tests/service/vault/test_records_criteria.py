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


# More semi-joins than one statement may have.
BEHIND = "".join(
    f"""
    Objectlifecyclestateentrycriterion behind_{number}__c ( order({number}), message('Number {number}'),
      criteria('id IN (SELECT stair__c FROM steps__cr WHERE number__c = {number})') ),"""
    for number in range(1, 31)
)
LIFECYCLE = """
RECREATE Objectlifecycle climbed__c ( label('Climbed'), starting_state('open__c'),
  Objectlifecyclestate open__c ( label('Open'),
    Objectlifecyclestateuseraction close__c ( label('Close'), action('change_state'), next_state('closed__c') ) ),
  Objectlifecyclestate closed__c ( label('Closed'), {criteria}
    Objectlifecyclestateentrycriterion small__c ( order(99), criteria('size__c < 10'), message('Too large') ) ) );
"""
STAIRS = """
RECREATE Object stair__c ( label('Stair'), prefix('ZGB'), lifecycle('Objectlifecycle.climbed__c'),
  Field size__c ( type('Number'), label('Size') ) );
RECREATE Object step__c ( label('Step'), prefix('ZGC'),
  Field stair__c ( type('Object'), label('Stair'), object('Object.stair__c'), relationship_type('parent'),
    relationship_inbound_name('steps__cr') ),
  Field number__c ( type('Number'), label('Number') ) );
"""
CLIMB = "Objectlifecyclestateuseraction.stair__c.open__c.close__c"


async def test_criteria_may_be_more_than_one_statement_takes(
    admin: Api, user: Api
) -> None:
    mdl = LIFECYCLE.format(criteria="") + STAIRS + LIFECYCLE.format(criteria=BEHIND)
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text
    rows = [{"name__v": name, "size__c": 11} for name in ("some", "all")]
    some, every = (await user.post("/vobjects/stair__c", json=rows)).ids
    steps = [
        {"name__v": f"{number}", "stair__c": stair, "number__c": number}
        for stair in (some, every)
        for number in range(1, 31)
        if stair == every or number not in {2, 29}
    ]
    made = await user.post("/vobjects/step__c", json=steps)
    assert outcomes(made) == ["SUCCESS"] * 58
    answer = await user.post(
        f"/vobjects/stair__c/actions/{CLIMB}", data={"ids": f"{some},{every}"}
    )
    messages = [row["errors"][0]["message"] for row in answer.data]
    assert messages == ["Number 2; Number 29; Too large", "Too large"]


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
