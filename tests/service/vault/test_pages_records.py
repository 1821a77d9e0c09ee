"""The record browser: lists with search and pages, forms, user actions, audit trail; values are always escaped."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.service.vault.browsing import Browser, browser
from tests.service.vault.objects import OWNERS, key, record
from tests.service.vault.served import Api

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea><script>1</script>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; \u202e",
)


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "user") as made:
        yield made


async def test_a_record_is_created_edited_and_moved_on(
    visitor: Browser, user: Api
) -> None:
    name = key()
    page = await visitor.open("/ui/objects")
    # What people work with stands first, whatever the alphabet says.
    assert "Records What people work with Case Requests" in page.text, page.text
    page = await visitor.click(page, "Things")
    page = await visitor.press(
        await visitor.click(page, "Create"),
        "Save",
        name__v=name,
        key__c=name,
        colour__c="Red",
        amount__c="1.50",
    )
    assert (
        f"{name} New" in page.text
        and "Colour Red" in page.text
        and "Amount 1.50" in page.text
    )
    page = await visitor.press(
        await visitor.click(page, "Edit"), "Save", colour__c="Blue", amount__c=""
    )
    assert "The Thing was saved." in page.text and "Colour Blue" in page.text
    record_id = page.path.rpartition("/")[2]
    page = await visitor.press(page, "Start", note__c="begun")
    assert "The action Start was run." in page.text and f"{name} Started" in page.text
    stored = await record(user, "thing__c", record_id)
    assert (stored["note__c"], stored["amount__c"], stored["colour__c"]) == (
        "begun",
        None,
        ["blue__c"],
    )


async def test_every_type_of_field_goes_through_a_form_unchanged(
    visitor: Browser, user: Api
) -> None:
    name = key()
    values = {
        "name__v": name,
        "number__c": 7,
        "ratio__c": "0.25",
        "yes__c": True,
        "day__c": "2026-01-02",
        "moment__c": "2026-01-02T03:04:05.678Z",
        "text__c": " a  b",
        "size__c": "small__c",
        "sizes__c": "small__c,huge__c",
    }
    (record_id,) = (await user.post("/vobjects/item__c", json=[values])).ids
    before = await record(user, "item__c", record_id)
    page = await visitor.open(f"/ui/objects/item__c/{record_id}")
    assert (
        "Moment 2026-01-02 03:04:05 UTC" in page.text
        and "Sizes Small, Huge" in page.text
        and "Yes Yes" in page.text
    )
    page = await visitor.press(await visitor.click(page, "Edit"), "Save")
    assert await record(user, "item__c", record_id) == before
    fields = {
        "sizes__c.large__c": "on",
        "yes__c": "No",
        "moment__c": "2026-02-03T04:05",
    }
    await visitor.press(await visitor.click(page, "Edit"), "Save", **fields)
    after = await record(user, "item__c", record_id)
    assert sorted(after["sizes__c"]) == ["huge__c", "large__c", "small__c"]
    assert (after["yes__c"], after["moment__c"]) == (False, "2026-02-03T04:05:00.000Z")


async def test_what_somebody_else_has_changed_is_not_overwritten(
    visitor: Browser, user: Api
) -> None:
    (record_id,) = (
        await user.post("/vobjects/thing__c", json=[{"name__v": key()}])
    ).ids
    form = await visitor.open(f"/ui/objects/thing__c/{record_id}/edit")
    await user.put(f"/vobjects/thing__c/{record_id}", data={"note__c": "theirs"})
    page = await visitor.press(form, "Save", note__c="mine")
    assert page.status == 409 and "RACE_CONDITION" in page.text
    assert page.form("Save").fields["note__c"] == "mine"
    assert (await record(user, "thing__c", record_id))["note__c"] == "theirs"
    assert "Note mine" in (await visitor.press(page, "Save")).text


async def test_a_form_writes_what_was_changed_in_it_alone(
    visitor: Browser, user: Api
) -> None:
    row = {"name__v": key(), "colour__c": "red__c", "amount__c": 1}
    (record_id,) = (await user.post("/vobjects/thing__c", json=[row])).ids
    form = await visitor.open(f"/ui/objects/thing__c/{record_id}/edit")
    theirs = {"colour__c": "blue__c", "amount__c": "2"}
    await user.put(f"/vobjects/thing__c/{record_id}", data=theirs)
    page = await visitor.press(form, "Save", note__c="mine")
    assert page.status == 409
    await visitor.press(page, "Save")
    stored = await record(user, "thing__c", record_id)
    kept = (stored["colour__c"], stored["amount__c"], stored["note__c"])
    assert kept == (["blue__c"], 2, "mine"), stored


async def test_records_are_searched_filtered_and_paged(
    visitor: Browser, user: Api
) -> None:
    word = key().replace("-", "")
    rows = [
        {"name__v": f"{word} {n:03}", "colour__c": "red__c" if n % 2 else "blue__c"}
        for n in range(60)
    ]
    await user.post("/vobjects/thing__c", json=rows)
    page = await visitor.press(
        await visitor.open("/ui/objects/thing__c"), "Search", q=word
    )
    assert "1 to 50 of 60" in page.text
    assert word not in str(page.url)
    assert page.form("Search").fields["q"] == word
    page = await visitor.click(page, "Next")
    assert word not in str(page.url) and "51 to 60 of 60" in page.text
    assert "Next" not in page.links
    page = await visitor.click(page, "Previous")
    assert "1 to 50 of 60" in page.text
    # What one searches for is nobody else's business.
    async with browser(visitor.url, "admin") as other:
        theirs = await other.open(str(page.url.relative()))
        assert theirs.form("Search").fields["q"] == ""
        assert "has expired" in theirs.text
    page = await visitor.open("/ui/objects/thing__c", params={"colour__c": "red__c"})
    page = await visitor.press(page, "Search", q=word)
    assert "1 to 30 of 30" in page.text
    assert page.form("Filter").fields["colour__c"] == "red__c"
    page = await visitor.press(
        await visitor.click(page, "Show all"), "Search", q=f"{word} 007"
    )
    assert "1 to 1 of 1" in page.text
    for words in (
        "' OR 1",
        "(",
        "NOT",
        'a"b',
        "\\",
        "*",
        "%",
        "a AND",
        "\u0000",
        "${user.id}",
    ):
        assert (await visitor.press(page, "Search", q=words)).status == 200, words
        assert (
            await visitor.open("/ui/objects/thing__c", params={"name__v": words})
        ).status == 200, words


async def test_a_list_is_ordered_narrowed_and_saved_as_a_file(
    visitor: Browser, user: Api
) -> None:
    word = key().replace("-", "")
    rows = [
        {"name__v": f"{word} {n}", "colour__c": colour, "amount__c": str(amount)}
        for n, (colour, amount) in enumerate(
            [("red__c", 2), ("blue__c", 3), ("red__c", 1)]
        )
    ]
    rows.append({"name__v": f"={word}", "colour__c": "blue__c"})
    await user.post("/vobjects/thing__c", json=rows)
    columns = [("column", "amount__c"), ("column", "colour__c")]
    page = await visitor.open("/ui/objects/thing__c", params=columns)
    page = await visitor.press(page, "Search", q=word)
    page = await visitor.click(page, "Amount")
    amounts = [page.text.index(f"{word} {n}") for n in (2, 0, 1)]
    assert amounts == sorted(amounts)
    page = await visitor.click(page, "Amount ▲")
    amounts = [page.text.index(f"{word} {n}") for n in (1, 0, 2)]
    assert amounts == sorted(amounts)
    assert "descending" in [given.get("aria-sort") for _, given in page.tags]
    narrowed = await visitor.press(page, "Filter", colour__c="Red")
    assert "1 to 2 of 2" in narrowed.text
    # Back to all values, the search and the order stay.
    wide = await visitor.press(narrowed, "Filter", colour__c="All")
    assert "1 to 4 of 4" in wide.text and wide.form("Search").fields["q"] == word
    answer = await visitor.request("GET", wide.links["CSV"])
    assert answer.headers["Content-Type"].startswith("text/csv")
    lines = answer.body.decode().splitlines()
    assert lines[0].startswith("id,Name,") and len(lines) == 5
    # A spreadsheet runs nothing of it.
    assert any(f"'={word}" in line for line in lines)


async def test_the_columns_of_a_list_are_chosen(visitor: Browser) -> None:
    page = await visitor.open("/ui/objects/thing__c", params={"column": "nothing__c"})
    assert page.status == 200
    heads = [given for tag, given in page.tags if tag == "th"]
    # What is unknown is left out: the usual ones are there.
    assert len(heads) > 2
    page = await visitor.open("/ui/objects/thing__c", params=[("column", "amount__c")])
    assert [tag for tag, _ in page.tags].count("th") == 2


async def test_references_are_chosen_by_name_and_lead_to_their_record(
    visitor: Browser, user: Api
) -> None:
    owner, name = f"Owner {key()}", key()
    (owner_id,) = (await user.post("/vobjects/owner__c", json=[{"name__v": owner}])).ids
    page = await visitor.open("/ui/objects/item__c/new", params={"owner__c": owner_id})
    page = await visitor.press(page, "Save", name__v=name)
    page = await visitor.click(page, owner)
    assert page.path == f"/ui/objects/owner__c/{owner_id}"


async def test_a_deletion_is_confirmed_and_the_audit_trail_tells_of_the_record(
    api: Api, admin: Api
) -> None:
    (record_id,) = (
        await admin.post(
            "/vobjects/thing__c", json=[{"name__v": "Gone", "note__c": "before"}]
        )
    ).ids
    await admin.put(f"/vobjects/thing__c/{record_id}", data={"note__c": "after"})
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open(f"/ui/objects/thing__c/{record_id}")
        trail = await visitor.click(page, "Audit Trail")
        assert (
            "Edit" in trail.text
            and "Note before after" in trail.text
            and "before" in trail.text
            and "after" in trail.text
        )
        page = await visitor.click(page, "Delete Thing")
        assert "cannot be undone" in page.text
        page = await visitor.press(page, "Delete")
        assert (
            "The Thing was deleted." in page.text
            and page.path == "/ui/objects/thing__c"
        )
        gone = await visitor.open(f"/ui/objects/thing__c/{record_id}")
        assert gone.status == 400
        # Who may read the audit trail reads what became of the record.
        trail = await visitor.open(f"/ui/objects/thing__c/{record_id}/audit")
        assert trail.status == 200
        assert f"Audit Trail of {record_id}" in trail.text
        assert "Delete" in trail.text
        assert "Note before after" in trail.text
        assert f'href="/ui/objects/thing__c/{record_id}"' not in trail.html
        unknown = await visitor.open("/ui/objects/thing__c/V0Z000000000000/audit")
        assert unknown.status == 400
    async with browser(api.url, "user") as visitor:
        refused = await visitor.open(f"/ui/objects/thing__c/{record_id}/audit")
        assert refused.status == 403


@pytest.mark.parametrize("text", HOSTILE)
async def test_text_is_never_markup(visitor: Browser, user: Api, text: str) -> None:
    row = {"name__v": text, "note__c": text, "key__c": f"{key()}{text}"[:40]}
    (record_id,) = (await user.post("/vobjects/thing__c", json=[row])).ids
    path = f"/ui/objects/thing__c/{record_id}"
    for address, params in (
        (path, {}),
        (f"{path}/edit", {}),
        ("/ui/objects/thing__c", {"name__v": text}),
        ("/ui/objects/thing__c", {"q": text}),
        ("/ui/objects/thing__c/new", {"name__v": text}),
        ("/ui/sign-in", {"next": text}),
        (f"/ui/queues/{text.replace('/', '')}", {}),
    ):
        page = await visitor.open(address, params=params)
        tags = {tag for tag, _ in page.tags}
        assert not {"img", "b"} & tags, address
        scripts = [given["src"] for tag, given in page.tags if tag == "script"]
        assert all(each.startswith("/ui/static/") for each in scripts), address
        assert not [
            name for _, given in page.tags for name in given if name.startswith("on")
        ], address
    page = await visitor.open(path)
    assert " ".join(text.split()) in page.text
    form = (await visitor.open(f"{path}/edit")).form("Save")
    assert (form.fields["name__v"], form.fields["note__c"]) == (text, text)


async def test_a_record_that_may_not_be_read_is_not_shown(visitor: Browser) -> None:
    page = await visitor.open("/ui/objects/user__sys/2")
    assert page.status == 403 and "INSUFFICIENT_ACCESS" in page.text
    assert "Users" not in (await visitor.open("/ui/objects")).links


async def test_of_many_records_one_is_named_by_its_name_or_its_id(
    api: Api, admin: Api
) -> None:
    script = """RECREATE Object picked__c ( label('Picked'), label_plural('Picked'), prefix('ZPK') );
    RECREATE Object picking__c ( label('Picking'), label_plural('Picking'), prefix('ZPJ'),
      Field picked__c ( label('Choice'), type('Object'), object('Object.picked__c') ) );"""
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    names = [f"Number {n}" for n in range(101)] + ["O'Neil", "Twice", "Twice"]
    ids = (
        await admin.post(
            "/vobjects/picked__c", json=[{"name__v": name} for name in names]
        )
    ).ids
    async with browser(api.url, "admin") as visitor:
        for given, found in (
            ("Number 7", ids[7]),
            (" number  8 ", ids[8]),
            ("o'neil", ids[101]),
            ("O'Neil", ids[101]),
            (ids[3], ids[3]),
        ):
            page = await visitor.open("/ui/objects/picking__c/new")
            assert "name, or any words of it" in page.text
            page = await visitor.press(
                page, "Save", name__v=given.strip(), picked__c=given
            )
            assert "was created" in page.text
            rows = (
                await admin.query(
                    f"SELECT picked__c FROM picking__c WHERE id = '{page.path.split('/')[-1]}'"
                )
            ).data
            assert rows == [{"picked__c": found}]
        for given, told in (("Twice", "several records"), ("Nobody", "no such record")):
            page = await visitor.press(
                await visitor.open("/ui/objects/picking__c/new"),
                "Save",
                name__v=given,
                picked__c=given,
            )
            assert (
                f"Choice: {told}" in page.text
                or f"Choice: there is {told}" in page.text
            )


async def test_a_view_keeps_columns_order_filters_and_words_by_name(
    visitor: Browser, user: Api
) -> None:
    word = key().replace("-", "")
    rows = [
        {"name__v": f"{word} {n}", "colour__c": colour, "amount__c": str(n)}
        for n, colour in enumerate(["red__c", "blue__c", "red__c", "red__c"])
    ]
    await user.post("/vobjects/thing__c", json=rows)
    asked = [("column", "amount__c"), ("column", "colour__c"), ("sort", "-amount__c")]
    narrow = [("colour__c", "red__c"), ("amount__c.to", "2.5")]
    page = await visitor.open("/ui/objects/thing__c", params=[*asked, *narrow])
    page = await visitor.press(page, "Search", q=word)
    assert "1 to 2 of 2" in page.text

    page = await visitor.press(page, "Save as a view", label=f" Few  {word}")
    assert "The view was saved." in page.text and f"Few {word}" in page.links
    # Its address names nobody.
    assert list(page.url.query) == ["view"]
    assert [tag for tag, _ in page.tags].count("th") == 3
    assert page.text.index(f"{word} 2") < page.text.index(f"{word} 0")
    assert page.form("Search").fields["q"] == word

    few = await visitor.press(page, "Narrow", **{"amount__c.from": "1"})
    assert "1 to 1 of 1" in few.text and f"{word} 2" in few.text
    # What the address says besides the view counts first, and may be kept.
    wider = await visitor.press(page, "Filter", colour__c="All")
    assert "1 to 3 of 3" in wider.text, wider.text
    kept = await visitor.press(wider, "Save changes", label=f"All {word}")
    assert list(kept.url.query) == ["view"] and "1 to 3 of 3" in kept.text
    assert f"All {word}" in kept.links and f"Few {word}" not in kept.links
    answer = await visitor.request("GET", kept.links["CSV"])
    assert len(answer.body.decode().splitlines()) == 4

    # The list begins with the view that one wants it to, until one does not.
    await visitor.press(kept, "Begin with this view")
    begun = await visitor.open("/ui/objects/thing__c")
    assert begun.url.query == kept.url.query and "1 to 3 of 3" in begun.text
    every = await visitor.click(begun, "All Things")
    assert "1 to 3 of 3" not in every.text
    await visitor.press(begun, "Do not begin with this view")
    assert not (await visitor.open("/ui/objects/thing__c")).url.query

    taken = await visitor.press(every, "Save as a view", label=f"All {word}")
    assert "choose another name (INVALID_DATA)" in taken.text
    for nameless in ("", "x" * 81):
        page = await visitor.press(every, "Save as a view", label=nameless)
        assert "Give the view a name" in page.text
    gone = await visitor.press(kept, "Delete view")
    assert "The view was deleted." in gone.text and f"All {word}" not in gone.links
    assert "This view was deleted" in (await visitor.open(str(kept.url))).text


async def test_a_view_is_ones_own_until_it_is_shared_and_shows_what_its_reader_may_read(
    visitor: Browser, api: Api
) -> None:
    label = key()
    async with browser(api.url, "admin") as sharer:
        page = await sharer.open("/ui/objects/item__c", params={"column": "owner__c"})
        view = await sharer.press(page, "Save as a view", label=label)
        hidden = await visitor.open(str(view.url))
        assert "another user" in hidden.text and label not in hidden.links
        assert "Share with everybody" not in hidden.text
        await sharer.press(view, "Save changes", shared="on")
        theirs = await visitor.open(str(view.url))
        assert label in theirs.links and "Save changes" not in theirs.text
        # Nothing of it is another's to change; a copy under a name of one's own is.
        path, _, _ = str(view.url).partition("?")
        of_view = f"{path}/views/{view.url.query['view']}"
        token = theirs.form("Save as a view").fields["token"]
        for form in ("", "/delete"):
            data = {"token": token, "label": "Mine", "shared": "on"}
            answer = await visitor.request("POST", f"{of_view}{form}", data=data)
            assert "INSUFFICIENT_ACCESS" in answer.text
        own = await visitor.press(theirs, "Save as a view", label=label)
        assert "The view was saved." in own.text
        data = {"token": token, "label": f"{label} 2", "shared": "on"}
        refused = await visitor.request("POST", f"{path}/views", data=data)
        assert "INSUFFICIENT_ACCESS" in refused.text
        await visitor.press(theirs, "Begin with this view")
        # Who deletes a view takes it from all lists that begin with it.
        await sharer.press(view, "Delete view")
    assert not (await visitor.open("/ui/objects/item__c")).url.query


async def test_what_is_wrong_stands_at_its_field_by_its_label(
    visitor: Browser,
) -> None:
    form = await visitor.open("/ui/objects/item__c/new")
    page = await visitor.press(form, "Save", name__v=key(), number__c="seven")
    wrong = [given for _, given in page.tags if given.get("aria-invalid")]
    assert [given["name"] for given in wrong] == ["number__c"]
    described = wrong[0]["aria-describedby"]
    assert described in [given.get("id") for _, given in page.tags]
    assert "[Number]" in page.text and "[number__c]" not in page.text
    assert page.text.count("INVALID_DATA") == 1


async def test_delete_is_offered_only_where_it_is_possible(
    api: Api, admin: Api
) -> None:
    owner, free = (await admin.post(OWNERS, json=[{"name__v": key()}] * 2)).ids
    row = {"name__v": key(), "owner__c": owner}
    (part,) = (await admin.post("/vobjects/part__c", json=[row])).ids
    path = f"/ui/objects/owner__c/{owner}"
    async with browser(api.url, "admin") as visitor:
        asked = await visitor.click(await visitor.open(path), "Delete Owner")
        # Deleted with its part; a note that refers to the part stands against both.
        await admin.post("/vobjects/note__c", json=[{"part__c": part}])
        refused = await visitor.press(asked, "Delete")
        for text in (
            "The record is referred to by [Note: Part]",
            "Delete is not possible. Notes refer to it by the field Part.",
        ):
            assert text in refused.text, refused.text
        assert "Delete Owner" not in refused.links
        again = await visitor.open(f"{path}/delete")
        assert "Notes refer to it" in again.text and again.path == path
        other = await visitor.open(f"/ui/objects/owner__c/{free}")
        page = await visitor.press(await visitor.click(other, "Delete Owner"), "Delete")
        assert "The Owner was deleted." in page.text
