"""The console's commands about a running system, run as users run them: processes with options and variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.system import System
from tests.forked_console import run_console
from tests.system import module_system
from tests.system.conditions import Connected, new_run
from tests.system.test_transfer import account, create, inquiry, transferred

running, connected = module_system.running, module_system.connected
CONNECTION = "medical_crm__v"
INTEGRATION = "medical_inquiry_details__v"
OUTBOUND = "crm_to_medical_outbound_queue__v"


@dataclass(frozen=True)
class Console:
    """The console, whose variables say where the system is."""

    variables: Mapping[str, str]

    async def run(self, *arguments: str, **changed: str) -> tuple[int, str, str]:
        """Exit status, standard output, and standard error."""
        ended = await run_console(*arguments, variables={**self.variables, **changed})
        return ended.exit_code, ended.output, ended.errors

    async def read(self, *arguments: str, code: int = 0) -> Any:
        """The JSON that a command prints, checked to end with this status."""
        status, output, told = await self.run(*arguments, "--json")
        assert status == code, (output, told)
        return json.loads(output)


@pytest.fixture
def console(running: System) -> Console:
    ends = running.endpoints()
    medical, crm = ends["medical_vault"], ends["crm_vault"]
    return Console(
        {
            "MEDCRM_URL": medical["url"],
            "MEDCRM_USERNAME": medical["username"],
            "MEDCRM_PASSWORD": medical["password"],
            "MEDCRM_REMOTE_URL": crm["url"],
            "MEDCRM_REMOTE_USERNAME": crm["username"],
            "MEDCRM_REMOTE_PASSWORD": crm["password"],
            "MEDCRM_CONNECTOR": ends["connector"]["url"],
        }
    )


async def test_status_and_readiness_say_what_is_wrong(
    connected: Connected, console: Console
) -> None:
    well = await console.read("status")
    kinds = {part["kind"] for part in well["parts"]}
    assert kinds >= {"Vault", "connector", "connection", "integration", "queue"}
    assert (await console.read("readiness", CONNECTION))["ready"] is True
    await connected.crm.set_delivery(OUTBOUND, enabled=False)
    try:
        status = await console.read("status", code=1)
        wrong = [part for part in status["parts"] if part["wrong"]]
        assert [part["name"] for part in wrong] == [OUTBOUND]
        answer = await console.read("readiness", CONNECTION, code=1)
        assert [found["name"] for found in answer["findings"]] == [OUTBOUND]
        code, shown, _ = await console.run("readiness", CONNECTION)
        assert (code, shown.splitlines()[0]) == (1, "Not ready")
    finally:
        await connected.crm.set_delivery(OUTBOUND, enabled=True)


async def test_what_fails_is_listed_by_cause_and_retried(
    connected: Connected, console: Console
) -> None:
    run = new_run()
    key = f"P-{run}"
    await create(connected.crm, "product__v", {"name__v": key, "external_id__v": key})
    account_id = await account(connected, run)
    item = await inquiry(connected, account_id, **{"product__vr.external_id__v": key})
    preview = await console.read(
        "preview", item, "--rule", "medical_inquiries__v", code=1
    )
    assert preview[0]["result"] == "failed"
    # Told when the exception and its items are recorded.
    await transferred(connected, item, "failed__v")
    (cause,) = await console.read("retry", "list", code=1)
    assert (cause["error_type"], cause["items"]) == ("reference_error__sys", 1)
    (message,) = cause["messages"]
    still = await console.read("retry", "messages", message, code=1)
    assert still == {message: "open__sys"}
    await create(
        connected.medical, "product__v", {"name__v": key, "external_id__v": key}
    )
    done = await console.read("retry", "all", "--integration", INTEGRATION)
    assert (done["messages"], done["resolved"]) == (1, 1)
    assert await console.read("retry", "list") == []
    trace = await console.read("trace", "record", "medical_inquiry__v", item)
    assert {event["what"] for event in trace["events"]} >= {"exception", "written"}
    assert len({event["message_id"] for event in trace["events"]}) == 1
    unknown = await console.read("trace", "message", f"no-{run}", code=1)
    assert unknown == []


async def test_a_run_is_followed_and_a_record_traced(
    connected: Connected, console: Console
) -> None:
    item = await inquiry(connected, await account(connected, new_run()))
    request = await transferred(connected, item)
    started = await console.read("runs", "start", INTEGRATION)
    assert started["status"] == "SUCCESS"
    job = started["job_id"]
    assert await console.read("runs", "follow", INTEGRATION, str(job)) == started
    listed = await console.read("runs", "list", INTEGRATION)
    assert [run["job_id"] for run in listed][:1] == [job]
    trace = await console.read("trace", "record", "case_request__v", str(request["id"]))
    by_field = {field["field_name"]: field for field in trace["fields"]}
    message = by_field["question__v"]["message_id"]
    written = [event for event in trace["events"] if event["what"] == "written"]
    assert {event["message_id"] for event in written} >= {message}
    events = await console.read("trace", "message", message)
    assert events == [
        event for event in trace["events"] if event["message_id"] == message
    ]


async def test_lookups_go_down_and_up(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "lookups.csv"
    code, output, told = await console.run("lookups", "download", str(file))
    assert code == 0, told
    stored = await console.read("lookups", "list", "--connection", CONNECTION)
    code, output, told = await console.run("lookups", "upload", str(file))
    assert (code, output) == (0, f"{len(stored)} rows are uploaded\n"), told
    assert await console.read("lookups", "list", "--connection", CONNECTION) == stored
    text = file.read_text("utf-8")
    file.write_text(
        text.replace(f",{CONNECTION},", ",no_connection__c,", 1), "utf-8", newline=""
    )
    code, output, _ = await console.run("lookups", "upload", str(file))
    assert (code, output.count("row ")) == (1, 1), output
    assert await console.read("lookups", "missing", CONNECTION) == []


@pytest.mark.parametrize(
    ("command", "variable", "value", "said"),
    [
        (("readiness", CONNECTION), "MEDCRM_URL", "http://127.0.0.1:1", "Check --url"),
        (("readiness", CONNECTION), "MEDCRM_URL", "medical", "--url: "),
        (
            ("readiness", CONNECTION),
            "MEDCRM_CONNECTOR",
            "http://127.0.0.1:1",
            "Check --connector",
        ),
        (("retry", "list"), "MEDCRM_PASSWORD", "no", "the password in MEDCRM_PASSWORD"),
        (
            ("lookups", "missing", CONNECTION),
            "MEDCRM_REMOTE_URL",
            "http://127.0.0.1:1",
            "Check --remote-url",
        ),
    ],
)
async def test_a_fault_names_the_address_and_what_to_check(
    console: Console, command: tuple[str, ...], variable: str, value: str, said: str
) -> None:
    code, output, told = await console.run(*command, **{variable: value})
    assert (code, output) == (2, "")
    assert said in told
    assert "://" not in value or value in told
