"""Integration Rules, components as MDL, and Reference Lookups with files of them, in the browser."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.served import Api

NONE = "\N{EN DASH}"
RULE = """RECREATE Integrationrule {name} (
    label('Rule of {name}'), connection('medical_crm__v'), integration_point('account_inbound__v'),
    primary_query_object('thing__v'), active(false),
    Fieldrule first__c ( target_object('Object.thing__c'), target_object_field('Field.note__c'),
        query_object('thing__v'), query_field('text__v') ),
    Queryobjectrule only__c ( query_object('thing__v'), filter_clause('status__v = ''active__v''') )
);
"""


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "admin") as made:
        yield made


def api_name() -> str:
    return f"{key().lower().replace('-', '_')}__c"


async def test_field_rules_are_reviewed_as_the_guide_says(visitor: Browser) -> None:
    page = await visitor.click(await visitor.open("/ui/"), "Integration Rules")
    assert "medical_inquiry__v Case, Case Request 10" in page.text, page.text
    # By its name: copies of a connection have rules with the same labels.
    page = await visitor.open("/ui/rules/medical_inquiries__v")
    assert (
        page.links["Field Rules"] == "#field-rules"
        and page.links["Query Object Rules"] == "#query-object-rules"
    )
    for told in (
        "medical_inquiry_details_inbound__v",
        "request_question__v Case Request: Question case_request__v question__v",
        "LONGTEXT(inquiry_text__v) AS inquiry_text__v",
        "delivery_method_to_priority__v picklist, missing: default normal__v",
    ):
        assert told in page.text, told


async def execute(visitor: Browser, page: Page, mdl: str | None = None) -> Page:
    """Have a script reviewed, and carry it out."""
    page = await visitor.press(page, "Review", **({} if mdl is None else {"mdl": mdl}))
    assert "Nothing has been executed yet." in page.text, page.text
    return await visitor.press(page, "Execute")


async def test_a_rule_is_written_changed_and_refused_statement_by_statement(
    visitor: Browser,
) -> None:
    name = api_name()
    page = await execute(
        visitor,
        await visitor.click(await visitor.open("/ui/rules"), "Create with MDL"),
        RULE.format(name=name),
    )
    assert f"Executed: RECREATE Integrationrule.{name}." in page.text
    page = await visitor.click(await visitor.open("/ui/rules"), f"Rule of {name}")
    assert "Inactive" in page.text and "thing__v status__v = 'active__v'" in page.text
    assert "Correct these" not in page.text
    page = await visitor.click(page, "Edit as MDL")
    text = page.form("Review").fields["mdl"]
    page = await execute(visitor, page, text.replace("text__v", "other__v"))
    assert page.path == f"/ui/components/Integrationrule/{name}"
    assert "other__v" in page.form("Review").fields["mdl"]
    script = (
        f"ALTER Integrationrule {name} (label('Renamed'));\n"
        f"ALTER Integrationrule {name} (\n ADD Fieldrule broken__c (query_object('a__v')));\n"
        f"DROP Integrationrule {name};"
    )
    page = await visitor.press(page, "Review", mdl=script)
    assert f"Changed ALTER Integrationrule.{name} line 1" in page.text
    assert f"Refused ALTER Integrationrule.{name} line 2" in page.text
    assert "broken__c" in page.text and "1 more statement follows" in page.text
    # What would be refused is not begun.
    assert page.form("Review").fields["mdl"] == script
    assert "Renamed" not in (await visitor.open("/ui/rules")).links


async def test_statements_that_stored_records_prevent_are_shown_one_by_one(
    visitor: Browser, admin: Api
) -> None:
    name = api_name()
    made = f"""RECREATE Object {name} (label('Filled'),
      Field text__c (type('String'), label('Text'), max_length(20)));"""
    assert (await admin.post("/api/mdl/execute", data=made)).status == "SUCCESS"
    row = {"name__v": "A", "text__c": "longer than five"}
    await admin.post(f"/vobjects/{name}", json=[row])
    script = (
        f"ALTER Object {name} (label('Renamed'));\n"
        f"ALTER Object {name} (MODIFY Field text__c (max_length(5)));\n"
        f"DROP Object {name};"
    )
    page = await execute(visitor, await visitor.open("/ui/components/mdl"), script)
    assert page.status == 400
    assert f"1 1 ALTER Object.{name} Executed" in page.text
    assert f"2 2 ALTER Object.{name} Refused" in page.text
    assert f"3 3 DROP Object.{name}" not in page.text
    assert page.form("Review").fields["mdl"] == script


async def test_a_rule_shows_what_can_hardly_be_meant(visitor: Browser) -> None:
    name = api_name()
    keyless = RULE.format(name=name).replace("account_inbound__v", name)
    page = await visitor.click(await visitor.open("/ui/rules"), "Create with MDL")
    await execute(visitor, page, keyless)
    page = await visitor.open(f"/ui/rules/{name}")
    assert "no field rule gives thing__c a key" in page.text


async def test_a_script_is_carried_out_as_it_was_reviewed_only(
    visitor: Browser,
) -> None:
    name = api_name()
    create = (
        f"CREATE Integrationrule {name} (label('A'), connection('medical_crm__v'));"
    )
    page = await visitor.press(
        await visitor.open("/ui/components/mdl"), "Review", mdl=create
    )
    assert f"Created CREATE Integrationrule.{name} line 1" in page.text
    page = await visitor.press(
        page, "Execute", mdl=f"{create}\nDROP Integrationrule {name};"
    )
    assert f"Removed DROP Integrationrule.{name} line 2" in page.text
    assert "Executed:" not in page.text
    page = await visitor.press(page, "Execute")
    assert (
        f"Executed: CREATE Integrationrule.{name}, DROP Integrationrule.{name}."
        in page.text
    )


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("", "There is no statement"),
        ("this is no MDL", "INVALID_DATA"),
        ("</textarea><script>alert(1)</script>", "INVALID_DATA"),
    ],
)
async def test_what_is_no_mdl_is_an_error_and_stays_in_the_form(
    visitor: Browser, script: str, told: str
) -> None:
    page = await visitor.press(
        await visitor.open("/ui/components/mdl"), "Review", mdl=script
    )
    assert page.status == 400 and told in page.text
    assert page.form("Review").fields["mdl"] == script
    assert all("src" in given for tag, given in page.tags if tag == "script")


async def test_a_user_action_is_added_to_a_lifecycle(visitor: Browser) -> None:
    page = await visitor.click(await visitor.open("/ui/"), "Components")
    page = await visitor.click(await visitor.click(page, "Object Lifecycles"), "Thing")
    assert "new_state__c" in page.form("Review").fields["mdl"]
    page = await execute(visitor, page)  # the same again
    assert "Executed: RECREATE Objectlifecycle.thing_lifecycle__c." in page.text
    assert (await visitor.open("/ui/components/Nothing")).status == 400
    assert (await visitor.open("/ui/components/Object/nothing__c")).status == 400


async def a_rule(visitor: Browser, *, locked: bool = False) -> str:
    """A rule with a delivered Field Rule and a custom one."""
    name = api_name()
    script = RULE.format(name=name)
    if locked:
        script = script.replace(
            "active(false)", "lock_activation(true), lock_defaults(true)"
        )
    added = "(target_object('Object.thing__c'), target_object_field('Field.name__v'), field_default('x'))"
    script = (
        script.replace("first__c", "first__v")
        + f"ALTER Integrationrule {name} (ADD Fieldrule own__c {added});"
    )
    page = await execute(visitor, await visitor.open("/ui/components/mdl"), script)
    assert "Executed:" in page.text, page.text
    return name


async def test_field_rules_are_added_changed_and_deleted_by_form(
    visitor: Browser,
) -> None:
    name = await a_rule(visitor)
    page = await visitor.click(await visitor.open(f"/ui/rules/{name}"), "first__v")
    assert page.form("Save").fields["query_field"] == "text__v"
    assert page.form("Save").fields["target_object"] == "thing__c"
    page = await visitor.press(
        page, "Save", query_field="other__v", field_default="none", active="Inactive"
    )
    assert "The Field Rule was saved." in page.text
    assert (
        f"first__v Thing: Note thing__c note__c thing__v other__v {NONE} none Inactive"
        in page.text
    )
    page = await visitor.press(
        await visitor.click(page, "first__v"), "Save", field_default="", active="Active"
    )
    assert (
        f"first__v Thing: Note thing__c note__c thing__v other__v {NONE} {NONE} Active"
        in page.text
    )
    page = await visitor.click(page, "Add Field Rule")
    page = await visitor.press(
        page,
        "Save",
        part_name="third__c",
        target_object="thing__c",
        target_object_field="x__c",
    )
    assert page.status == 400 and "INVALID_DATA" in page.text
    fields = {
        "target_object_field": "note__c",
        "query_object": "thing__v",
        "query_field": "third__v",
    }
    page = await visitor.press(page, "Save", **fields)
    assert "third__c Thing: Note thing__c note__c thing__v third__v" in page.text
    page = await visitor.press(
        await visitor.click(page, "third__c"), "Delete Field Rule"
    )
    assert "third__v" not in page.text
    page = await visitor.press(
        await visitor.click(page, "only__c"), "Save", filter_clause="not a condition (("
    )
    assert page.status == 400 and "filter_clause" in page.text
    assert page.form("Save").fields["filter_clause"] == "not a condition (("


async def test_a_rule_itself_is_changed_by_form(visitor: Browser) -> None:
    name = await a_rule(visitor)
    page = await visitor.click(await visitor.open(f"/ui/rules/{name}"), "Edit")
    stale = page
    page = await visitor.press(
        page, "Save", label=f"Relabelled {name}", active="Active"
    )
    assert (
        "The Integration Rule was saved." in page.text
        and f"Relabelled {name} Active" in page.text
    )
    page = await visitor.press(stale, "Save", label="Late")
    assert page.status == 409 and "RACE_CONDITION" in page.text
    page = await visitor.press(page, "Save")
    assert "Late Inactive" in page.text  # all that the form shows is theirs
    page = await visitor.press(await visitor.click(page, "Edit"), "Save")
    assert "Nothing was changed." in page.text


async def test_what_a_lock_keeps_is_shown_and_not_to_be_changed(
    visitor: Browser,
) -> None:
    name = await a_rule(visitor, locked=True)
    page = await visitor.click(await visitor.open(f"/ui/rules/{name}"), "first__v")
    inputs = {
        given["name"]: given
        for _, given in page.tags
        if given.get("name") and given.get("id")
    }
    assert "disabled" in inputs["query_field"] and "disabled" in inputs["active"]
    assert "disabled" not in inputs["label"]
    page = await visitor.press(
        page, "Save", query_field="other__v"
    )  # as if it were not disabled
    assert page.status == 400 and "lock_defaults forbids" in page.text
    page = await visitor.press(
        await visitor.open(f"/ui/rules/{name}/Fieldrule/first__v"), "Delete Field Rule"
    )
    assert page.status == 400 and "lock" in page.text
    page = await visitor.click(await visitor.open(f"/ui/rules/{name}"), "own__c")
    page = await visitor.press(page, "Save", field_default="y")
    assert "The Field Rule was saved." in page.text


async def test_who_may_read_the_configuration_sees_it_and_changes_nothing(
    api: Api,
) -> None:
    async with browser(api.url, "integration") as reader:
        page = await reader.open("/ui/components/Integrationrule/medical_inquiries__v")
        assert "Fieldrule" in page.html and "readonly" in page.html
        assert not [form for form in page.forms if "Review" in form.labels]
        assert (
            "Show as MDL" in (await reader.open("/ui/rules/medical_inquiries__v")).links
        )


def csv(*lines: str) -> bytes:
    head = "reference_lookup_name__sys,reference_lookup_type__sys,source_key__sys,target_key__sys"
    return "\r\n".join((head, *lines, "")).encode()


async def upload(visitor: Browser, content: bytes) -> Page:
    page = await visitor.click(await visitor.open("/ui/"), "Reference Lookups")
    page = await visitor.press(page, "Search", connection="Medical-CRM Connection")
    return await visitor.send_file(
        await visitor.click(page, "Upload CSV"), "Upload", content, "lookups.csv"
    )


async def test_a_file_of_lookups_is_reported_row_by_row(visitor: Browser) -> None:
    name = f"set_{api_name()}"
    rows = [
        f"{name},generic__sys,{source},target" for source in ("a__v", "b__v", "a__v")
    ]
    page = await upload(visitor, csv(*rows, f"{name},generic__sys,c__v,"))
    assert "2 of 4 rows were saved; 2 were refused." in page.text
    assert "1 a__v Created" in page.text and "2 b__v Created" in page.text
    assert (
        "3 a__v Refused" in page.text
        and "OPERATION_NOT_ALLOWED 4 c__v" in page.text
        and "[target_key__sys]. PARAMETER_REQUIRED" in page.text
    )
    report = base64.b64decode(
        page.links["Download Result"].partition("base64,")[2]
    ).decode()
    assert [line.partition(",")[0] for line in report.splitlines()[1:]] == [
        "SUCCESS",
        "SUCCESS",
        "FAILURE",
        "FAILURE",
    ]
    page = await visitor.press(
        await visitor.click(page, "Reference Lookups"), "Search", q=name
    )
    assert "1 to 2 of 2" in page.text and f"a__v target {name} Generic" in page.text
    # A row is known by the key that it translates.
    page = await visitor.click(page, "a__v")
    page = await visitor.press(
        await visitor.click(page, "Edit"), "Save", target_key__sys="another"
    )
    assert "Target Key another" in page.text


async def test_a_file_updates_the_rows_that_are_there(visitor: Browser) -> None:
    name = f"set_{api_name()}"
    await upload(visitor, csv(f"{name},generic__sys,a__v,old"))
    rows = [f"{name},generic__sys,{source},new" for source in ("a__v", "b__v")]
    page = await upload(visitor, csv(*rows))
    assert "1 a__v Updated" in page.text and "2 b__v Created" in page.text
    page = await upload(visitor, csv(*rows))
    assert "2 of 2 rows were saved." in page.text and "Refused" not in page.text
    head = "lookup_key__sys,reference_lookup_name__sys,reference_lookup_type__sys,source_key__sys,target_key__sys"
    keyed = f"medical_crm__v:{name}:a__v,{name},generic__sys,a__v,newest"
    page = await upload(visitor, f"{head}\n{keyed}".encode())
    assert "1 a__v Updated" in page.text


async def read(visitor: Browser, path: str) -> str:
    """A file that a page offers."""
    async with visitor._http.get(visitor.url + path) as answer:
        assert answer.content_type == "text/csv"
        return await answer.text()


async def test_a_downloaded_file_is_uploaded_again_as_it_is(visitor: Browser) -> None:
    name = f"set_{api_name()}"
    await upload(visitor, csv(f"{name},generic__sys,a__v,=1+1"))
    page = await visitor.click(await visitor.open("/ui/"), "Reference Lookups")
    page = await visitor.press(page, "Search", connection="Medical-CRM Connection")
    download = page.links["Download CSV"]
    file = await read(visitor, download)
    (line,) = [each for each in file.splitlines() if f":{name}:" in each]
    # Spreadsheets run no cell of it, and the upload reads it as it was.
    assert f"{name},generic__sys,a__v,'=1+1," in line
    head = file.splitlines()[0]
    page = await upload(visitor, f"{head}\r\n{line}\r\n".encode())
    assert "1 of 1 rows were saved." in page.text and "1 a__v Updated" in page.text
    assert line in await read(visitor, download)
    empty = await read(visitor, "/ui/lookups/template")
    assert empty.strip() == head.partition(",")[2]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "PARAMETER_REQUIRED"),
        (b"\xff\xfe", "The CSV cannot be read: it is not UTF-8 text"),
        (b"a,a\n1,2", "The CSV cannot be read: line 1 has a column name"),
        (b'a\n"b', "The CSV cannot be read: line 2 ends within a cell"),
        (csv(), "The file has no rows below the column names"),
        (csv(*["x,generic__sys,a__v,b"] * 501), "A call takes at most 500 rows"),
    ],
)
async def test_what_is_no_file_of_lookups_is_an_error_in_the_form(
    visitor: Browser, content: bytes, told: str
) -> None:
    page = await upload(visitor, content)
    assert page.status == 400 and told in page.text and page.form("Upload")


async def test_a_file_of_lookups_has_to_be_chosen(visitor: Browser) -> None:
    page = await visitor.open("/ui/lookups/upload")
    page = await visitor.send_file(page, "Upload", b"", name="")
    assert page.status == 400 and "Choose a file" in page.text
