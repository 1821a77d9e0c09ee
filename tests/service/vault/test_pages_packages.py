"""Packages on pages: imported, reviewed, deployed with their logs, and built from components for other Vaults."""

from __future__ import annotations

from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.package_calls import finished
from tests.service.vault.served import Api
from tests.unit.packages.building import component_files, vpk

SHADE = "RECREATE Picklist {name} ( label('Shade'), Picklistentry dark__c ( label('Dark') ) );"


async def of_job(visitor: Browser, admin: Api, page: Page) -> Page:
    """The page of the package that a job was about, when the job has ended."""
    assert page.path.startswith("/ui/jobs/"), page.text
    job = await finished(admin, int(page.path.rpartition("/")[2]))
    assert job["status"] == "SUCCESS", job
    return await visitor.click(await visitor.open(page.path), "Open the package")


async def test_a_package_is_imported_reviewed_and_deployed(
    api: Api, admin: Api
) -> None:
    name = f"shade_{key().replace('-', 'x').lower()}__c"
    content = vpk(
        component_files(10, f"Picklist.{name}", SHADE.format(name=name)),
    )
    async with browser(api.url, "admin") as visitor:
        page = await visitor.click(await visitor.open("/ui/packages"), "Import")
        for wrong in (b"", b"no package"):
            refused = await visitor.send_file(page, "Import", wrong, "wrong.vpk")
            assert refused.status == 400
            told = {each["name"] for _, each in refused.tags if "aria-invalid" in each}
            assert told == {"file"}
        page = await visitor.send_file(page, "Import", content, "shades.vpk")
        page = await of_job(visitor, admin, page)
        assert "Verified" in page.text and "shades.vpk" in page.text
        path = page.path

        page = await visitor.click(page, "Review and Deploy")
        assert "Nothing has been deployed yet" in page.text
        assert f"Created RECREATE Picklist.{name}" in page.text
        assert "label('Dark')" in page.text
        assert (await admin.get(f"/objects/picklists/{name}")).status == "FAILURE"
        page = await of_job(visitor, admin, await visitor.press(page, "Deploy"))
        assert page.path == path
        assert "1 deployed" in page.text and "Deployed" in page.text
        assert (await admin.get(f"/objects/picklists/{name}")).status == "SUCCESS"
        log = next(
            label
            for label in page.links
            if "deploy" in label.lower() and label.endswith(".log")
        )
        text = (await visitor.open(page.links[log])).body.decode()
        assert name in text
        page = await visitor.press(page, "Validate again")
        assert "The package was validated." in page.text
        listed = await visitor.open("/ui/packages")
        assert path in listed.links.values()
        file = await visitor.open(page.links["Download"])
        assert file.body == content


def named(page: Page) -> Page:
    """A page with only the form that names a component; those of dependencies have the same button."""
    page.forms = [each for each in page.forms if "component" in each.fields]
    return page


async def test_a_package_is_made_of_components(api: Api, admin: Api) -> None:
    own = key().replace("-", "x").lower()
    script = SHADE.format(name=f"shade_{own}__c") + (
        f"RECREATE Object box_{own}__c (label('Box'), Field shade__c "
        f"(type('Picklist'), label('Shade'), picklist('Picklist.shade_{own}__c')));"
    )
    made = await admin.post("/api/mdl/execute", data=script)
    assert made.status == "SUCCESS", made.text
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/packages/outbound/new")
        page = await visitor.press(page, "Save", summary__v="Boxes")
        assert "No components yet." in page.text and "Boxes" in page.text
        path = page.path
        refused = await visitor.press(named(page), "Add", component="Object.none__c")
        assert refused.status == 400 and "no such component" in refused.text
        page = await visitor.press(named(page), "Add", component=f"Object.box_{own}__c")
        # What the object refers to is offered.
        assert "Components that are missing from the package" in page.text
        form = next(
            each
            for each in page.forms
            if each.labels.get("Add", {}).get("component") == f"Picklist.shade_{own}__c"
        )
        sent = {**form.fields, **form.labels["Add"]}
        page = await visitor.request("POST", form.action, data=sent)
        assert "are missing from" not in page.text
        page = await of_job(visitor, admin, await visitor.press(page, "Export"))
        assert page.path == path
        file = await visitor.open(page.links["Download"])
        assert file.body.startswith(b"PK")
