"""Results of MDL scripts as the API returns them."""

from __future__ import annotations

from shared.vault.components.mdl import parse
from shared.vault.configuration.scripts import (
    ScriptExecution,
    StatementResult,
    refused,
)

DONE = StatementResult(1, "CREATE", "Picklist.color__c", 1)
NOTHING = StatementResult(2, "ALTER", "Object.product__c", 5, affected=False)


def test_a_script_that_was_carried_out() -> None:
    script = ScriptExecution([DONE, NOTHING], seconds=0.12345)
    assert script.to_json("Medical") == {
        "script_execution": {
            "code": "GEN-S-0",
            "message": "OK",
            "warnings": 0,
            "failures": 0,
            "exceptions": 0,
            "components_affected": 1,
            "execution_time": 0.123,
        },
        "statement_execution": [
            {
                "vault": "Medical",
                "statement": 1,
                "command": "CREATE",
                "component": "Picklist.color__c",
                "message": "[SUCCESS] CREATE Picklist color__c",
                "response": "SUCCESS",
            },
            {
                "vault": "Medical",
                "statement": 2,
                "command": "ALTER",
                "component": "Object.product__c",
                "message": "[SUCCESS] ALTER Object product__c: nothing to do",
                "response": "SUCCESS",
            },
        ],
    }


def test_a_refused_statement_has_code_and_message_of_the_script() -> None:
    (statement,) = parse("DROP Picklist color__c;")
    failed = refused(2, statement, "GEN-F-406", "It is in use.")
    body = ScriptExecution([DONE, failed]).to_json("Medical")
    assert body["script_execution"] == {
        "code": "GEN-F-406",
        "message": "It is in use.",
        "warnings": 0,
        "failures": 1,
        "exceptions": 0,
        "components_affected": 1,
        "execution_time": 0.0,
    }
    assert isinstance(body["statement_execution"], list)
    assert body["statement_execution"][1] == {
        "vault": "Medical",
        "statement": 2,
        "command": "DROP",
        "component": "Picklist.color__c",
        "message": "[FAILURE] DROP Picklist color__c",
        "response": "FAILURE",
        "errors": [
            {
                "line": 1,
                "message": "It is in use.",
                "context": "DROP Picklist color__c",
                "code": "GEN-F-406",
            }
        ],
    }


def test_a_script_of_no_statements_is_carried_out() -> None:
    assert ScriptExecution().failures == []
    assert ScriptExecution().to_json("Medical")["statement_execution"] == []
