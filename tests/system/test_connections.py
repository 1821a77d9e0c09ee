"""A second connection between the two Vaults: established as an administrator does it, then used, then inactivated."""

from __future__ import annotations

from local.connections import ACTION, End, establish
from shared.client import VaultClient
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_transfer import create

CONNECTION = "connection__sys"


async def new_connection(client: VaultClient, name: str, remote: VaultClient) -> str:
    row = {
        "name__v": name,
        "api_name__sys": name,
        "remote_vault_id__sys": str(remote.vault_id),
    }
    return await create(client, CONNECTION, row)


async def configure_point(connected: Connected, name: str) -> None:
    """In Medical an integration point of the connection, for notes of CRM."""
    integration = await create(
        connected.medical,
        "integration__sys",
        {
            "name__v": name,
            "integration_api_name__sys": name,
            "connection__sysr.api_name__sys": name,
        },
    )
    point = {
        "name__v": name,
        "integration_point_api_name__sys": name,
        "integration__sys": integration,
    }
    await create(
        connected.medical,
        "integration_point__sys",
        {**point, "direction__sys": "inbound__sys"},
    )
    await connected.medical.execute_mdl(f"""
        CREATE Object {name} ( label('Note'), Field link__sys ( unique(true) ) );
        CREATE Integrationrule {name} (
            label('Notes'), connection('{name}'), integration_point('{name}'), primary_query_object('{name}'),
            Fieldrule link__c ( target_object('Object.{name}'), target_object_field('Field.link__sys'),
                query_object('{name}'), query_field('global_id__sys') ),
            Fieldrule name__c ( target_object('Object.{name}'), target_object_field('Field.name__v'),
                query_object('{name}'), query_field('name__v') ) );
    """)


async def send_notes(connected: Connected, name: str, destination: str) -> None:
    """An object in CRM whose records send a message over the connection."""
    await connected.crm.execute_mdl(f"""
        CREATE Queue {name} ( label('Notes'), type('outbound'), active(true),
            Queueconnection {name} ( connection_name('{name}'), {destination} ) );
        CREATE Objectlifecycle {name} ( label('Note'), starting_state('new_state__c'),
            Objectlifecyclestate new_state__c ( label('New'),
                Objectlifecyclestateuseraction send__c ( label('Send'), order(1), action('change_state'),
                    next_state('sent_state__c') ) ),
            Objectlifecyclestate sent_state__c ( label('Sent'),
                Objectlifecyclestateentryaction tell__c ( action('send_message'), order(1), queue('{name}'),
                    integration_point('{name}'), event('sent') ) ) );
        CREATE Object {name} ( label('Note'), lifecycle('Objectlifecycle.{name}') );
    """)


async def sent(connected: Connected, name: str, text: str) -> str:
    note = await create(connected.crm, name, {"name__v": text})
    await connected.crm.run_action(
        name, note, f"Objectlifecyclestateuseraction.{name}.new_state__c.send__c"
    )
    return note


async def has_exception(client: VaultClient, what: str) -> bool:
    """Whether an exception with this text exists."""
    text = "SELECT error_message__sys FROM exception_message__sys"
    rows = (await client.query(text)).rows
    return any(what in str(row["error_message__sys"]) for row in rows)


async def test_a_second_connection_is_established_and_carries_messages(
    connected: Connected,
) -> None:
    name = f"note_{new_run()}__c"
    ids = {
        "crm": await new_connection(connected.crm, name, connected.medical),
        "medical": await new_connection(connected.medical, name, connected.crm),
    }
    ends = End(connected.crm, name), End(connected.medical, name)
    assert await establish(*ends)
    assert [await end.state() for end in ends] == ["active_state__sys"] * 2
    assert not await establish(*ends), "it is established already"
    details = await connected.medical.record(CONNECTION, ids["medical"])
    assert (details["remote_vault_name__sys"], details["remote_connection__sys"]) == (
        "Vault CRM",
        name,
    )

    await configure_point(connected, name)
    await send_notes(
        connected, name, "deliver_to_queue('medical_crm_inbound_queue__v')"
    )
    note = await sent(connected, name, "over the second connection")
    link = f"{connected.crm.vault_id}_{note}"

    async def arrived() -> bool:
        rows = (
            await connected.medical.query(
                f"SELECT name__v FROM {name} WHERE link__sys = '{link}'"
            )
        ).rows
        return [row["name__v"] for row in rows] == ["over the second connection"]

    await eventually("the note in Medical", arrived)

    # A Vault that is not to be read any more is not read, and the other one says why.
    administrator = str(connected.crm.user_id)
    await connected.crm.update(
        CONNECTION,
        [{"id": ids["crm"], "authorized_connection_user__sys": administrator}],
    )
    await sent(connected, name, "not to be read")

    async def refused_by_medical() -> bool:
        return await has_exception(
            connected.medical, f"Connection [{name}] cannot be used by a System Admin"
        )

    await eventually("the exception in Medical", refused_by_medical)
    await connected.crm.run_action(
        CONNECTION, ids["crm"], f"{ACTION}.active_state__sys.inactivate__sys"
    )
    await sent(connected, name, "not to be sent")

    async def refused() -> bool:
        return await has_exception(connected.crm, f"connection {name} is inactive")

    await eventually("the exception in CRM", refused)
    assert len((await connected.medical.query(f"SELECT id FROM {name}")).rows) == 1
