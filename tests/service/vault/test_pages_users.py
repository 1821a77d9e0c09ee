"""Users, groups and security profiles on pages: found, created, changed.

Choices that would be refused are not offered.
"""

from __future__ import annotations

from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.people import as_user, new_user
from tests.service.vault.profiles import (
    execute,
    name,
    permission_set,
    security_profile,
)
from tests.service.vault.served import PASSWORD, Api

# Long, and of words that do not belong together.
ANOTHER = "Kettle-Onyx-Prairie-71"


async def make(visitor: Browser, **fields: str) -> str:
    """Make a user on the page; the path of the user's page."""
    family = f"Q{key()}"
    page = await visitor.click(await visitor.open("/ui/users"), "Create")
    page = await visitor.press(
        page,
        "Save",
        user_first_name__v="Ada",
        user_last_name__v=family,
        user_name__v=f"{family}@vault.example",
        user_email__v=f"{family}@vault.example",
        **fields,
    )
    assert "The User was created." in page.text, page.text
    assert f"Ada {family}" in page.text
    return page.path


async def test_a_user_is_made_found_changed_and_made_inactive(
    api: Api, admin: Api
) -> None:
    async with browser(api.url, "admin") as visitor:
        path = await make(
            visitor, password__v=PASSWORD, user_needs_to_change_password__v="No"
        )
        user = (await admin.get(f"/objects/users/{path.rpartition('/')[2]}")).body
        known = user["users"][0]["user"]
        await as_user(api, known["user_name__v"])

        page = await visitor.open("/ui/users")
        page = await visitor.press(page, "Search", q=known["user_last_name__v"])
        assert known["user_name__v"] in page.text
        assert known["user_last_name__v"] not in str(page.url)

        page = await visitor.click(await visitor.open(path), "Edit")
        page = await visitor.press(
            page, "Save", user_title__v="Agent", license_type__v="External User"
        )
        assert "Title Agent" in page.text and "External User" in page.text
        assert "Security Profile Business User" in page.text

        page = await visitor.press(page, "Set password", password__v="short")
        assert page.status == 400 and "A password has from 12" in page.text
        page = await visitor.press(page, "Set password", password__v=ANOTHER)
        assert "The password was set." in page.text
        assert "Password must be changed Yes" in page.text

        page = await visitor.press(page, "Inactivate")
        assert "The user is inactive." in page.text
        refused = await api.post(
            "/auth", data={"username": known["user_name__v"], "password": ANOTHER}
        )
        assert refused.error == "INACTIVE_USER"
        listed = await visitor.open("/ui/users", params={"status__v": "inactive__v"})
        assert known["user_name__v"] in listed.text
        page = await visitor.press(await visitor.open(path), "Activate")
        assert "The user is active." in page.text
        trail = await visitor.click(page, "Audit Trail")
        assert "Agent" in trail.text


def refused_fields(page: Page) -> set[str]:
    """The fields that show why their value was refused."""
    return {given["name"] for _, given in page.tags if "aria-invalid" in given}


async def test_missing_values_of_a_user_are_errors_at_their_fields(api: Api) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/users/new")
        page = await visitor.press(
            page,
            "Save",
            user_first_name__v="Ada",
            user_email__v="not one address",
            password__v=PASSWORD,
        )
        assert page.status == 400
        assert refused_fields(page) == {"user_last_name__v", "user_name__v"}
        # What was typed is still there, and the password is not sent back.
        form = page.form("Save")
        assert form.fields["user_first_name__v"] == "Ada"
        assert form.fields["password__v"] == ""
        rest = {"user_last_name__v": "Quen", "user_name__v": f"{key()}@vault.example"}
        page = await visitor.press(page, "Save", **rest)
        assert refused_fields(page) == {"user_email__v"}
        address = rest["user_name__v"]
        page = await visitor.press(
            page, "Save", user_email__v=address, password__v="welcome2026!!"
        )
        assert refused_fields(page) == {"password__v"}


async def test_users_change_some_of_themselves_and_nothing_else(
    api: Api, admin: Api
) -> None:
    user_id, username = await new_user(admin)
    other_id, _ = await new_user(admin)
    async with browser(api.url) as visitor:
        page = await visitor.sign_in(username)
        page = await visitor.click(page, username)
        assert page.path == f"/ui/users/{user_id}"
        assert "Inactivate" not in page.text and "Reset password" not in page.text
        assert page.links["Change my password"] == "/ui/password"
        page = await visitor.click(page, "Edit")
        fields = page.form("Save").fields
        assert "security_profile__v" not in fields and "user_name__v" not in fields
        page = await visitor.press(page, "Save", user_title__v="Rep")
        assert "Title Rep" in page.text
        assert (await visitor.open(f"/ui/users/{other_id}")).status == 403
        assert (await visitor.open("/ui/users")).status == 403


async def test_nobody_is_offered_to_grant_what_they_lack(api: Api, admin: Api) -> None:
    own = name()
    script = permission_set(own, set(), {"user__sys": "rce"})
    made = await execute(admin, script + security_profile(own, own))
    assert made.status == "SUCCESS", made.text
    _, username = await new_user(admin, security_profile__v=own)
    mightier, _ = await new_user(admin, security_profile__v="system_admin__v")
    async with browser(api.url) as visitor:
        await visitor.sign_in(username)
        page = await visitor.open("/ui/users/new")
        offered = page.form("Save").options["security_profile__v"].values()
        assert own in offered and "system_admin__v" not in offered
        page = await visitor.open(f"/ui/users/{mightier}")
        assert "Edit" not in page.links and "Inactivate" not in page.text
        token = (await visitor.open("/ui/users/new")).form("Save").fields["token"]
        for action, sent in (
            ("status", {"active": "false"}),
            ("password", {"password__v": ANOTHER}),
            ("edit", {"user_title__v": "x"}),
        ):
            page = await visitor.request(
                "POST",
                f"/ui/users/{mightier}/{action}",
                data={"token": token, **sent},
            )
            assert "INSUFFICIENT_ACCESS" in page.text, action


async def test_who_was_changed_meanwhile_is_not_overwritten(
    api: Api, admin: Api
) -> None:
    user_id, _ = await new_user(admin)
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open(f"/ui/users/{user_id}/edit")
        await admin.put(f"/objects/users/{user_id}", data={"user_title__v": "First"})
        page = await visitor.press(page, "Save", site__v="Second")
        assert page.status == 409 and "RACE_CONDITION" in page.text
        page = await visitor.press(page, "Save")
        assert "Site Second" in page.text and "Title First" not in page.text


async def test_members_are_added_to_a_group_and_removed(api: Api, admin: Api) -> None:
    label = f"Agents {key()}"
    user_id, _ = await new_user(admin)
    user = (await admin.get(f"/objects/users/{user_id}")).body["users"][0]["user"]
    person = f"{user['user_first_name__v']} {user['user_last_name__v']}"
    async with browser(api.url, "admin") as visitor:
        page = await visitor.click(await visitor.open("/ui/groups"), "Create")
        refused = await visitor.press(page, "Save", label__v="")
        assert refused.status == 400
        assert refused_fields(refused) == {"label__v"}
        page = await visitor.press(page, "Save", label__v=label)
        assert "The Group was created." in page.text and "No members yet." in page.text
        page = await visitor.press(page, "Add", member=str(user_id))
        assert "was added to the group" in page.text and person in page.text
        refused = await visitor.press(page, "Add", member="999999999")
        assert refused.status == 400
        on_user = await visitor.open(f"/ui/users/{user_id}")
        assert label in on_user.links
        page = await visitor.press(await visitor.click(on_user, label), "Remove")
        assert "was removed from the group" in page.text
        page = await visitor.click(page, "Edit")
        page = await visitor.press(
            page, "Save", **{"security_profiles__v.integration_user__v": "on"}
        )
        assert "Security Profile Integration User" in page.text
        page = await visitor.press(page, "Delete Group")
        assert "The Group was deleted." in page.text and label not in page.text


async def test_a_profile_says_in_words_what_it_allows(api: Api) -> None:
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/profiles/business_user__v")
        assert "Read, create, edit" in page.text and "Look up accounts" in page.text
        assert "Pages in the menu Home, Records, Documents, Tasks, Jobs" in page.text
        # What every Vault has cannot be changed.
        assert "Edit" not in page.links
        assert (await visitor.open("/ui/profiles/business_user__v/edit")).status == 400


async def test_a_permission_set_and_its_profile_are_made_after_a_review(
    api: Api, admin: Api
) -> None:
    label = f"Readers {key()}"
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/permission-sets/new")
        assert (await visitor.press(page, "Review")).status == 400
        page = await visitor.press(
            page,
            "Review",
            label=label,
            added="exception_message__sys",
            **{"permissions.manage_integrations": "on", "object.added.read": "on"},
        )
        assert "Created CREATE Permissionset." in page.text
        assert "Nothing has been executed yet" in page.text
        page = await visitor.press(page, "Execute")
        assert "Executed: CREATE Permissionset." in page.text
        page = await visitor.click(page, label)
        assert "Manage integrations and integration rules" in page.text
        own = page.path.rpartition("/")[2]
        page = await visitor.click(page, "Edit")
        page = await visitor.press(
            page, "Review", **{"object.exception_message__sys.edit": "on"}
        )
        assert "edit(false)" in page.text and "edit(true)" in page.text
        await visitor.press(page, "Execute")

        page = await visitor.open("/ui/profiles/new")
        page = await visitor.press(
            page, "Review", label=label, **{f"permission_sets.{own}": "on"}
        )
        page = await visitor.press(page, "Execute")
        page = await visitor.open(f"/ui/profiles/{own}")
        assert "Read, edit \N{EN DASH} User Exception Messages" in page.text
