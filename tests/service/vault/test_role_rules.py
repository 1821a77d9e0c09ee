"""Role assignment rules: stored and listed in the format of the public API, and applied at creation."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created
from tests.service.vault.objects import key
from tests.service.vault.people import new_user
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api

types = documenting.types

RULES = "/configuration/role_assignment_rule"
RECORDS = "ruled_lifecycle__c"
CONTENT = "ruled_content__c"
MDL = """
RECREATE Objectlifecycle ruled_lifecycle__c (
   label('Ruled'), starting_state('open_state__c'), Objectlifecyclestate open_state__c (label('Open'))
);
RECREATE Object ruled_pack__c (
   label('Ruled Pack'), label_plural('Ruled Packs'), prefix('RPK'), active(true),
   available_lifecycles('Objectlifecycle.ruled_lifecycle__c'),
   Field product__c (label('Product'), type('Object'), object('Object.product__v')),
   Field country__c (label('Country'), type('Object'), object('Object.country__v'))
);
RECREATE Doclifecycle ruled_content__c ( label('Ruled Content'), Doclifecyclestate only__c ( label('Only') ) );
RECREATE Doctype ruled__c ( label('Ruled'), available_lifecycles('Doclifecycle.ruled_content__c') );
RECREATE Docfield ruled_products__c (
   label('Products'), type('ObjectReference'), object('Object.product__v'), multi_value(true)
);
"""


class Ruled(NamedTuple):
    """The objects of the rules: a product by name and id, a country's id, two users by name and id, and a group."""

    product: str
    product_id: str
    country_id: str
    first: str
    first_id: int
    second: str
    second_id: int
    group: str
    group_id: int


@pytest.fixture(scope="module")
async def ruled(admin: Api, types: None) -> Ruled:
    made = await admin.post("/api/mdl/execute", data=MDL)
    assert made.status == "SUCCESS", made.text
    name = f"Ruled {key()}"
    products = await admin.post("/vobjects/product__v", json=[{"name__v": name}])
    countries = await admin.post(
        "/vobjects/country__v", json=[{"name__v": name, "country_code__v": "RULED"}]
    )
    assert "data" in countries.data[0], countries.text
    first_id, first = await new_user(admin)
    second_id, second = await new_user(admin)
    group = await admin.post("/objects/groups", data={"label__v": f"Ruled {key()}"})
    (found,) = [
        each["group"]
        for each in (await admin.get("/objects/groups")).body["groups"]
        if each["group"]["id"] == group.body["id"]
    ]
    return Ruled(
        name,
        products.ids[0],
        countries.ids[0],
        first,
        first_id,
        second,
        second_id,
        found["name__v"],
        group.body["id"],
    )


async def put(admin: Api, **row: Any) -> None:
    answer = await admin.put(RULES, json=[row])
    assert answer.data == [{"responseStatus": "SUCCESS"}], answer.text


async def post(admin: Api, **row: Any) -> None:
    answer = await admin.post(RULES, json=[row])
    assert answer.data == [{"responseStatus": "SUCCESS"}], answer.text


async def editors(admin: Api, path: str) -> tuple[list[int], list[int]]:
    """Return the users and groups with the role of editors on a record or document."""
    answer = await admin.get(f"{path}/roles/editor__v")
    if "documentRoles" in answer.body:
        (role,) = answer.body["documentRoles"]
        return role["assignedUsers"], role["assignedGroups"]
    return next(((each["users"], each["groups"]) for each in answer.data), ([], []))


async def test_rules_fill_the_roles_of_new_records(admin: Api, ruled: Ruled) -> None:
    own = {"lifecycle__v": RECORDS, "role__v": "editor__v"}
    await put(
        admin,
        **own,
        allowed_users__v=[ruled.first],
        allowed_default_users__v=[ruled.first],
    )
    both = {"product__c.name__v": ruled.product, "country__c": ruled.country_id}
    await post(admin, **own, **both, allowed_default_groups__v=[ruled.group])
    await post(
        admin, **own, product__c=ruled.product_id, allowed_default_users__v=ruled.second
    )
    values = {"product__c": ruled.product_id, "country__c": ruled.country_id}
    wanted = {
        (): ([ruled.first_id], []),
        ("country__c",): ([ruled.first_id], []),
        ("product__c",): ([ruled.second_id], []),
        ("product__c", "country__c"): ([], [ruled.group_id]),
    }
    rows = [
        {"name__v": f"Pack {at}", **{name: values[name] for name in names}}
        for at, names in enumerate(wanted)
    ]
    made = await admin.post("/vobjects/ruled_pack__c", json=rows)
    found = [
        await editors(admin, f"/vobjects/ruled_pack__c/{each}") for each in made.ids
    ]
    assert found == list(wanted.values())
    listed = (await admin.get(RULES, params={"lifecycle__v": RECORDS})).data
    assert listed[0] == {
        **own,
        "allowed_users__v": [ruled.first],
        "allowed_groups__v": [],
        "allowed_default_users__v": [ruled.first],
        "allowed_default_groups__v": [],
    }
    overrides = await admin.get(RULES, params={"country__c": ruled.country_id})
    (override,) = overrides.data
    assert override["product__c.name__v"] == ruled.product
    assert override["product__c"] == ruled.product_id
    assert override["allowed_default_groups__v"] == [ruled.group]
    # What a call does not name stays, and the default is not deleted.
    await put(admin, **own, product__c=ruled.product_id, allowed_users__v=[])
    gone = await admin.delete(
        RULES, params={**own, "product__c.name__v": ruled.product}
    )
    assert gone.data == {"rules_deleted": 2}
    left = await admin.get(
        RULES, params={"role__v": "editor__v", "lifecycle__v": RECORDS}
    )
    assert len(left.data) == 1


async def test_rules_fill_the_roles_of_new_documents(admin: Api, ruled: Ruled) -> None:
    csv = (
        "lifecycle__v,role__v,ruled_products__c.name__v,allowed_default_users__v\n"
        f'{CONTENT},editor__v,{ruled.product},"{ruled.first},{ruled.second}"\n'
    )
    answer = await admin.post(RULES, data=csv, headers={"Content-Type": "text/csv"})
    assert answer.data == [{"responseStatus": "SUCCESS"}], answer.text
    levels: dict[str, Any] = {"type__v": "ruled__c", "lifecycle__v": CONTENT}
    plain = await created(admin, **levels)
    with_product = await created(admin, **levels, ruled_products__c=ruled.product_id)
    batch = await admin.post(
        f"{DOCUMENTS}/batch",
        json=[
            {**documenting.template(), **levels, "ruled_products__c": ruled.product_id}
        ],
    )
    both = sorted((ruled.first_id, ruled.second_id))
    for each, users in (
        (plain, []),
        (with_product, both),
        (batch.data[0]["id"], both),
    ):
        assert await editors(admin, f"{DOCUMENTS}/{each}") == (users, [])
    trail = await admin.get(f"{DOCUMENTS}/{with_product}/audittrail")
    assert "editor__v.users" in str(trail.body)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"lifecycle__v": RECORDS}, "PARAMETER_REQUIRED"),
        ({"lifecycle__v": RECORDS, "role__v": "editor__v"}, "PARAMETER_REQUIRED"),
        ({"lifecycle__v": "nothing__c", "role__v": "editor__v"}, "INVALID_DATA"),
        ({"lifecycle__v": RECORDS, "role__v": "nobody__c"}, "INVALID_DATA"),
        ({"lifecycle__v": RECORDS, "role__v": "owner__v"}, "INVALID_DATA"),
        ({"colour__c": "V1"}, "INVALID_DATA"),
        ({"product__c": "V1"}, "INVALID_DATA"),
        ({"product__c.name__v": "Nobody's"}, "INVALID_DATA"),
        ({"product__c": "{id}", "allowed_users__v": ["nobody@x"]}, "INVALID_DATA"),
        ({"product__c": "{id}", "allowed_groups__v": "nobody__c"}, "INVALID_DATA"),
    ],
)
async def test_what_is_no_rule_is_refused_alone(
    admin: Api, ruled: Ruled, row: dict[str, Any], error: str
) -> None:
    full = {
        name: value.format(id=ruled.product_id) if isinstance(value, str) else value
        for name, value in row.items()
    }
    if "lifecycle__v" not in row:
        full |= {"lifecycle__v": RECORDS, "role__v": "editor__v"}
    answer = await admin.post(RULES, json=[full])
    (result,) = answer.data
    assert result["responseStatus"] == "FAILURE"
    assert result["errors"][0]["type"] == error
    if error != "PARAMETER_REQUIRED":
        (result,) = (await admin.put(RULES, json=[full])).data
        assert result["errors"][0]["type"] == error


async def test_rules_are_for_who_may_change_lifecycles(admin: Api) -> None:
    other = await with_profile(admin, {"read_audit"}, {"product__v": "rced"})
    for call in (other.get(RULES), other.post(RULES, json=[]), other.delete(RULES)):
        assert (await call).error == "INSUFFICIENT_ACCESS"
