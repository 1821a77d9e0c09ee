"""One Medical Vault with two Vault CRMs: each transfers its inquiries, and gets back their results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.client import VaultClient
from shared.client.results import Row
from tests.started_systems import started_system
from tests.system.conditions import INTEGRATION, Connected, eventually, new_run
from tests.system.reconciling import (
    CONNECTION,
    assert_clean,
    everything_transferred,
)
from tests.system.test_account_merges import become, contacts, merge
from tests.system.test_transfer import account, inquiry, one

ROOT = Path(__file__).parents[2]
COPY = "medical_crm_2__c"
TRANSFER = "Objectlifecyclestateuseraction.medical_inquiry__v.submitted_state__v.transfer_to_medical__v"


@dataclass(frozen=True)
class TwoCrms:
    """The Medical Vault, with each Vault CRM as seen by itself."""

    first: Connected
    second: Connected


@pytest.fixture(scope="module")
async def two() -> AsyncIterator[TwoCrms]:
    async with started_system(second_crm=True) as system, AsyncExitStack() as stack:
        endpoints, sign_ins = system.endpoints(), system.sign_ins()

        async def client(vault: str, role: str) -> VaultClient:
            who = sign_ins[vault][role]
            made = VaultClient(
                endpoints[vault]["url"],
                who["username"],
                who["password"],
                client_id="tests",
            )
            return await stack.enter_async_context(made)

        async def connected(crm: str) -> Connected:
            return Connected(
                crm=await client(crm, "admin"),
                medical=await client("medical_vault", "admin"),
                rep=await client(crm, "business"),
                agent=await client("medical_vault", "business"),
                connector=await client(crm, "integration"),
                amqp_url=endpoints["rabbitmq"]["amqp_url"],
            )

        made = TwoCrms(await connected("crm_vault"), await connected("crm_vault_2"))
        await activate_all(made)
        # From here on a reconciliation is clean.
        await everything_transferred(made.first)
        await everything_transferred(
            made.second, await copied_integration(made.second.medical)
        )
        yield made


async def activate(client: VaultClient, integration: str) -> None:
    row = {**INTEGRATION, "integration_api_name__sys": integration}
    (result,) = await client.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    assert result.ok, result.errors


async def copied_integration(medical: VaultClient) -> str:
    row = await one(
        medical,
        "SELECT integration_api_name__sys FROM integration__sys WHERE copy_of__sys = 'medical_inquiry_details__v' "
        f"AND connection__sysr.api_name__sys = '{COPY}'",
    )
    return str(row["integration_api_name__sys"])


async def activate_all(two: TwoCrms) -> None:
    """The integration active in each Vault, and in the Medical Vault for each Vault CRM."""
    medical = two.first.medical
    for client in (two.first.crm, two.second.crm, medical):
        await activate(client, "medical_inquiry_details__v")
    await activate(medical, await copied_integration(medical))


async def transferred(crm: Connected, of: str | None = None, **fields: str) -> Row:
    """An inquiry of this CRM, and its Case Request."""
    of = of or await account(crm, new_run())
    inquiry_id = await inquiry(crm, of, **fields)
    await crm.rep.run_action("medical_inquiry__v", inquiry_id, TRANSFER)

    async def done() -> bool:
        return (await crm.crm.record("medical_inquiry__v", inquiry_id))[
            "transfer_status__v"
        ] == ["success__v"]

    await eventually(f"the transfer from Vault {crm.crm.vault_id}", done)
    link = f"{crm.crm.vault_id}_{inquiry_id}"
    request = await one(
        crm.medical,
        f"SELECT id, case__v FROM case_request__v WHERE link__sys = '{link}'",
    )
    return {"inquiry": inquiry_id, "request": request["id"], "case": request["case__v"]}


async def assert_all_clean(two: TwoCrms) -> None:
    """Check that reconciliations of both connections find nothing, in each direction."""
    medical = two.first.medical
    for client, connection in (
        (medical, CONNECTION),
        (medical, COPY),
        (two.first.crm, CONNECTION),
        (two.second.crm, CONNECTION),
    ):
        found = await assert_clean(client, connection=connection)
        assert found.counts["equal"] > 0


async def exceptions(client: VaultClient) -> list[Row]:
    return (
        await client.query("SELECT error_message__sys FROM exception_message__sys")
    ).rows


async def test_case_requests_return_only_to_the_crm_that_they_came_from(
    two: TwoCrms,
) -> None:
    first, second = two.first, two.second
    states = (
        await first.medical.query("SELECT api_name__sys, state__v FROM connection__sys")
    ).rows
    assert {row["api_name__sys"]: row["state__v"] for row in states} == {
        "medical_crm__v": "active_state__sys",
        COPY: "active_state__sys",
    }
    mine, theirs = await transferred(first), await transferred(second)

    for request in (mine["request"], theirs["request"]):
        actions = await first.agent.actions("case_request__v", str(request))
        start = next(
            str(action["name"]) for action in actions if action["label"] == "Start Work"
        )
        await first.agent.run_action("case_request__v", str(request), start)

    for crm, inquiry_id in ((first, mine["inquiry"]), (second, theirs["inquiry"])):

        async def has_status(
            crm: Connected = crm, inquiry_id: object = inquiry_id
        ) -> bool:
            return (await crm.crm.record("medical_inquiry__v", str(inquiry_id)))[
                "inquiry_status__v"
            ] == ["in_progress__v"]

        await eventually(f"news in Vault {crm.crm.vault_id}", has_status)
    for client in (first.crm, second.crm, first.medical):
        assert await exceptions(client) == [], (
            "nothing came to a Vault that it did not concern"
        )
    await assert_all_clean(two)


def group_script() -> str:
    """The script by which administration.md lets inquiries of a group share a Case."""
    page = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")
    section = page.partition("### One Case for a group of inquiries")[2]
    return section.partition("<<'MDL'")[2].partition("\n")[2].partition("\nMDL\n")[0]


async def copied_rule(medical: VaultClient, original: str) -> str:
    rules = await medical.configuration("Integrationrule")
    (name,) = (str(row["name"]) for row in rules if row.get("copy_of") == original)
    return name


async def test_equal_groups_of_two_crms_are_two(two: TwoCrms) -> None:
    """As the page says: the script, then inquiries of one account with one Group Identifier."""
    first, second = two.first, two.second
    script, rule = group_script(), "medical_inquiries__v"
    await first.medical.execute_mdl(script)
    copy = await copied_rule(first.medical, rule)
    await first.medical.execute_mdl(script.replace(rule, copy))
    group = {"group_identifier__v": new_run()}
    cases: list[object] = []
    for crm in (first, second):
        of = await account(crm, new_run())
        made = await transferred(crm, of, **group)
        agents = {"id": made["case"], "priority__v": "high__v"}
        (changed,) = await crm.agent.update("case__v", [agents])
        assert changed.ok, changed.errors
        later = await transferred(crm, of, **group)
        assert later["case"] == made["case"]
        case = await crm.medical.record("case__v", str(made["case"]))
        assert case["priority__v"] == ["high__v"], "an agent's change stays"
        apart = await transferred(crm, **group)
        cases += [made["case"], apart["case"]]
    assert len(set(cases)) == 4, "of each account of each Vault CRM"
    back = script.replace("group_identifier__v", "global_id__sys")
    for name in (rule, copy):
        await first.medical.execute_mdl(back.replace(rule, name))


async def test_a_merge_in_one_crm_is_none_in_the_other(two: TwoCrms) -> None:
    """The two Vaults give their records the same ids."""
    pairs = []
    for crm in (two.first, two.second):
        pair = [await account(crm, new_run()) for _ in range(2)]
        for of in pair:
            await transferred(crm, of)
        pairs.append(pair)
    mine, theirs = pairs
    before = await contacts(two.first, *mine)
    _, main = await contacts(two.second, *theirs)
    await merge(two.second, *theirs)
    await become(two.second, main, *theirs)
    assert await contacts(two.first, *mine) == before
    assert len(set(before)) == 2
    for connection in (CONNECTION, COPY):
        await assert_clean(two.first.medical, connection=connection)
