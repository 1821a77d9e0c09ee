"""Plays the chapter of the data usage agreements: which accounts may leave CRM, country by country."""

from __future__ import annotations

from uuid import uuid4

from local.narration import Narration
from local.story.cast import INTEGRATION, Cast, Row, StoryFailed, create, need, one, run
from local.story.inquiries import known_product, new_inquiry, transfer_status

PULL, WITH_INQUIRIES, NEVER = (
    "pull_accounts__v",
    "only_accounts_with_inquiries__v",
    "do_not_pull_accounts__v",
)
RULES = {
    PULL: "every account",
    WITH_INQUIRIES: "only accounts with inquiries",
    NEVER: "no account",
}


async def followed(cast: Cast, narration: Narration) -> None:
    """Show by new accounts of three countries that a run pulls one, an inquiry the second, and nothing the third."""
    narration.chapter("Each country's data usage agreement is followed")
    accounts = {rule: await _account(cast, narration, rule) for rule in RULES}
    await run(narration, "Medical", cast.medical_admin, INTEGRATION)
    await _expect(cast, narration, accounts, {PULL}, "after the run")
    product = await known_product(cast)
    question = "What is known of interactions?"
    for rule in (WITH_INQUIRIES, NEVER):
        account = accounts[rule]
        inquiry = await new_inquiry(cast, narration, account, product, question)
        # Without account data the inquiry is transferred all the same.
        await transfer_status(cast, inquiry["id"], "success__v")
    await _expect(
        cast,
        narration,
        accounts,
        {PULL, WITH_INQUIRIES},
        "after an inquiry for each of the others",
    )
    narration.transferred(
        "Accounts of three countries",
        "CRM",
        "Case Contact Source Data",
        "As each Pull Accounts Rule allows",
    )


async def _account(cast: Cast, narration: Narration, rule: str) -> Row:
    """Create an account in a country that has this Pull Accounts Rule in the Medical Vault; return its record."""
    # Not the United States, whose accounts the other chapters use.
    country = await need(
        cast.medical_admin,
        "SELECT country_code__v, name__v FROM country__v "
        f"WHERE pull_accounts_rule__v = '{rule}' AND country_code__v != 'US' ORDER BY country_code__v MAXROWS 1",
        f"a country with the Pull Accounts Rule {rule}",
    )
    # New for each demo, as the system may keep running with what earlier ones created.
    number = uuid4().hex[:8].upper()
    code = f"DEMO-{number}"
    row = {
        "name__v": f"Example {number}",
        "first_name_cda__v": "Example",
        "last_name_cda__v": number,
        "external_id__v": code,
        "primary_country__vr.country_code__v": country["country_code__v"],
    }
    account_id = await create(cast.crm_admin, "account__v", row)
    account = await cast.crm_admin.record("account__v", account_id)
    place = country["name__v"]
    narration.event(
        "CRM",
        f"account {account_id} in {place}, whose rule allows to pull {RULES[rule]}",
    )
    return account


async def _expect(
    cast: Cast,
    narration: Narration,
    accounts: dict[str, Row],
    expected: set[str],
    when: str,
) -> None:
    for rule, account in accounts.items():
        found = await one(
            cast.medical_admin,
            "SELECT id, last_name__v FROM case_contact_source_data__v "
            f"WHERE external_id__v = '{account['external_id__v']}'",
        )
        pulled = found is not None
        if pulled != (rule in expected):
            outcome = "pulled" if pulled else "left out"
            message = f"{when}, account {account['id']} was {outcome}"
            raise StoryFailed(message)
    names = ", ".join(text for rule, text in RULES.items() if rule in expected)
    narration.event(
        "Medical", f"{when}, the Medical Vault has account data for the rules: {names}"
    )
