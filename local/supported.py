"""Lists the VQL and MDL that a Vault supports and refuses, by examples that tests run.

The API reference shows them. A row of VQL has the subject, a statement, and the error type with which the statement is
refused ("" when it is answered). The statements are about accounts and addresses of Vault CRM.
"""

from __future__ import annotations

VQL: dict[str, list[tuple[str, str, str]]] = {
    "Clauses": [
        ("`SELECT`, `FROM`", "SELECT id, name__v FROM account__v", ""),
        ("`AS`", "SELECT name__v AS name FROM account__v", ""),
        ("`WHERE`", "SELECT id FROM account__v WHERE status__v = 'active__v'", ""),
        ("`FIND`", "SELECT id FROM account__v FIND ('cardiology OR oncology')", ""),
        (
            "`FIND` with `SCOPE`",
            "SELECT id FROM account__v FIND ('rome' SCOPE primary_country__vr.name__v)",
            "",
        ),
        (
            "`FIND` with `SCOPE PROPERTIES`",
            "SELECT id FROM account__v FIND ('a' SCOPE PROPERTIES)",
            "",
        ),
        (
            "`ORDER BY`, `ASC`, `DESC`",
            "SELECT id FROM account__v ORDER BY name__v DESC, id ASC",
            "",
        ),
        (
            "`FIND` with `SCOPE CONTENT`, `ALL`",
            "SELECT id FROM documents FIND ('a' SCOPE CONTENT)",
            "",
        ),
        ("`ORDER BY RANK`", "SELECT id FROM account__v FIND ('x') ORDER BY RANK", ""),
        ("`MAXROWS`, `SKIP`", "SELECT id FROM account__v MAXROWS 500 SKIP 10", ""),
        (
            "`PAGESIZE`, `PAGEOFFSET`",
            "SELECT id FROM account__v PAGESIZE 100 PAGEOFFSET 200",
            "",
        ),
        (
            "`LIMIT`, `OFFSET` (older)",
            "SELECT id FROM account__v LIMIT 100 OFFSET 200",
            "",
        ),
        ("`SHOW TARGETS`", "SHOW TARGETS", ""),
        ("`SHOW FIELDS`", "SHOW FIELDS FROM account__v LIKE '%name%'", ""),
        ("`SHOW RELATIONSHIPS`", "SHOW RELATIONSHIPS FROM account__v", ""),
    ],
    "Relationships": [
        (
            "to-one",
            "SELECT account__vr.primary_country__vr.name__v FROM address__v",
            "",
        ),
        (
            "to-many",
            "SELECT id, (SELECT city_cda__v FROM addresses__vr PAGESIZE 5) FROM account__v",
            "",
        ),
        (
            "semi-join",
            "SELECT id FROM account__v WHERE id IN (SELECT id FROM addresses__vr)",
            "",
        ),
    ],
    "Operators": [
        ("`=`", "SELECT id FROM account__v WHERE name__v = 'x'", ""),
        ("`!=`", "SELECT id FROM account__v WHERE name__v != 'x'", ""),
        ("`<`", "SELECT id FROM account__v WHERE beds__v < 5", ""),
        ("`>`", "SELECT id FROM account__v WHERE beds__v > 5", ""),
        ("`<=`", "SELECT id FROM account__v WHERE beds__v <= 5", ""),
        ("`>=`", "SELECT id FROM account__v WHERE beds__v >= 5", ""),
        ("`CONTAINS`", "SELECT id FROM account__v WHERE id CONTAINS ('a', 'b')", ""),
        ("`BETWEEN`", "SELECT id FROM account__v WHERE beds__v BETWEEN 1 AND 5", ""),
        ("`LIKE`", "SELECT id FROM account__v WHERE name__v LIKE 'Uni%'", ""),
        (
            "`IN`",
            "SELECT id FROM address__v WHERE account__v IN (SELECT id FROM account__vr)",
            "",
        ),
        (
            "`AND`",
            "SELECT id FROM account__v WHERE beds__v > 5 AND name__v LIKE 'a%'",
            "",
        ),
        (
            "`OR`",
            "SELECT id FROM account__v WHERE beds__v > 5 OR name__v LIKE 'a%'",
            "",
        ),
        (
            "`NOT`, within `FIND`",
            "SELECT id FROM account__v FIND ('a' AND NOT 'b')",
            "",
        ),
    ],
    "Literals": [
        (
            "text, with escapes",
            r"SELECT id FROM account__v WHERE name__v = 'it\'s 5\%'",
            "",
        ),
        ("numbers", "SELECT id FROM account__v WHERE score__v = 1.5", ""),
        (
            "`true`, `false`",
            "SELECT id FROM account__v WHERE do_not_call__v = false",
            "",
        ),
        ("`null`", "SELECT id FROM account__v WHERE name__v = null", ""),
        ("dates", "SELECT id FROM account__v WHERE birth_date__v = '2025-01-31'", ""),
        (
            "date-times",
            "SELECT id FROM account__v WHERE modified_date__v > '2025-01-31T10:20:30.000Z'",
            "",
        ),
        ("`TODAY`", "SELECT id FROM account__v WHERE modified_date__v >= TODAY", ""),
        *(
            (
                f"`{name}:n`",
                f"SELECT id FROM account__v WHERE modified_date__v = {name}:2",
                "",
            )
            for unit in ("DAYS", "MONTHS", "QUARTERS", "YEARS")
            for name in (f"LAST_{unit}", f"NEXT_{unit}", f"{unit}_AGO")
        ),
        *(
            (
                f"`THIS_{unit}`",
                f"SELECT id FROM account__v WHERE birth_date__v = THIS_{unit}",
                "",
            )
            for unit in ("MONTH", "QUARTER", "YEAR")
        ),
        *(
            (
                f"`${{{name}}}`",
                f"SELECT id FROM account__v WHERE {field} = ${{{name}}}",
                "",
            )
            for name, field in (
                ("Vault.id", "beds__v"),
                ("Vault.name", "name__v"),
                ("Vault.dns", "name__v"),
                ("User.id", "created_by__v"),
                ("User.name", "name__v"),
                ("User.security_profile", "name__v"),
            )
        ),
    ],
    "Functions": [
        ("`LONGTEXT`", "SELECT LONGTEXT(biography__v) FROM account__v", ""),
        ("`RICHTEXT`", "SELECT RICHTEXT(notes__v) FROM account__v", ""),
        ("`TOLABEL`", "SELECT TOLABEL(status__v) FROM account__v", ""),
        ("`TODISPLAYFORMAT`", "SELECT TODISPLAYFORMAT(score__v) FROM account__v", ""),
        ("`TRIM`", "SELECT TRIM(status__v) FROM account__v", ""),
        *(
            (f"`{name}`", f"SELECT {name}(portrait__v) FROM account__v", "")
            for name in ("FILENAME", "FILESIZE", "MIMETYPE", "MD5CHECKSUM")
        ),
        (
            "`CASEINSENSITIVE`",
            "SELECT id FROM account__v WHERE CASEINSENSITIVE(name__v) = 'dupont'",
            "",
        ),
        (
            "`STATETYPE`",
            "SELECT id FROM account__v WHERE state__v = STATETYPE('initial_state__sys')",
            "",
        ),
    ],
    "Attachments of records": [
        (
            "in a sub-select",
            "SELECT id, (SELECT file_name__sys FROM attachments__sysr) FROM account__v",
            "",
        ),
        (
            "all versions",
            "SELECT id, (SELECT size__sys FROM ALLVERSIONS attachments__sysr) FROM account__v",
            "",
        ),
        (
            "after `IN`",
            "SELECT id FROM account__v WHERE id IN (SELECT object_record_id__sys FROM attachments__sysr)",
            "",
        ),
    ],
    "What is the caller's own": [
        (
            "`FROM RECENT`: the 20 records changed last",
            "SELECT id FROM RECENT account__v",
            "",
        ),
        (
            "`FROM FAVORITES`: none, as none can be marked",
            "SELECT id FROM FAVORITES account__v",
            "",
        ),
    ],
    "Targets beside the objects": [
        ("object types", "SELECT id, api_name__v FROM object_type__v", ""),
        ("components", "SELECT id, component_name__v FROM vault_component__v", ""),
        (
            "workflows under way, with their tasks",
            "SELECT id, (SELECT label__sys, status__sys FROM active_workflow_tasks__sysr) FROM active_workflow__sys",
            "",
        ),
        (
            "verdicts of workflows that have ended",
            "SELECT verdict__sys, inactive_workflow__sysr.label__sys FROM inactive_workflow_task_item__sys",
            "",
        ),
    ],
    "Refused": [
        (
            "workflows of documents before object workflows",
            "SELECT id FROM workflows",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        (
            "a list of all fields",
            "SELECT * FROM account__v",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        ("aggregates", "SELECT COUNT(id) FROM account__v", "ATTRIBUTE_NOT_SUPPORTED"),
        (
            "grouping",
            "SELECT id FROM account__v GROUP BY name__v",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "`IS NULL`",
            "SELECT id FROM account__v WHERE name__v IS NULL",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "`NOT` outside of `FIND`",
            "SELECT id FROM account__v WHERE NOT beds__v = 1",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "lists after `IN`",
            "SELECT id FROM account__v WHERE id IN ('a')",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "a wildcard that leads",
            "SELECT id FROM account__v WHERE name__v LIKE '%x'",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "arithmetic",
            "SELECT id FROM account__v WHERE beds__v = 1 + 1",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "sub-selects in sub-selects",
            "SELECT id, (SELECT id, (SELECT id FROM account__vr) FROM addresses__vr) FROM account__v",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "several statements",
            "SELECT id FROM account__v; SHOW TARGETS",
            "INCORRECT_QUERY_SYNTAX_ERROR",
        ),
        (
            "what is for documents only",
            "SELECT TONAME(status__v) FROM account__v",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        (
            "the same",
            "SELECT id FROM account__v WHERE status__v = STEADYSTATE()",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        (
            "the same",
            "SELECT id FROM ALLVERSIONS account__v",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        (
            "the same",
            "SELECT LATESTVERSION id FROM account__v",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        (
            "functions of attachments on other fields",
            "SELECT FILENAME(name__v) FROM account__v",
            "ATTRIBUTE_NOT_SUPPORTED",
        ),
        (
            "a field that is not there",
            "SELECT nothing__v FROM account__v",
            "INVALID_DATA",
        ),
        ("an object that is not there", "SELECT id FROM nothing__v", "INVALID_DATA"),
    ],
}

MDL: list[tuple[str, str]] = [
    (
        "`CREATE`",
        "CREATE Picklist colour__c ( label('Colour'), Picklistentry red__c ( label('Red') ) );",
    ),
    (
        "`CREATE … IF NOT EXISTS`",
        "CREATE Picklist IF NOT EXISTS colour__c ( label('Colour') );",
    ),
    ("`RECREATE`", "RECREATE Picklist colour__c ( label('Colour') );"),
    ("`ALTER`: attributes", "ALTER Picklist colour__c ( label('Color') );"),
    (
        "`ALTER`: `ADD`",
        "ALTER Picklist colour__c ( ADD Picklistentry blue__c ( label('Blue') ) );",
    ),
    (
        "`ALTER`: `MODIFY`",
        "ALTER Picklist colour__c ( MODIFY Picklistentry blue__c ( label('Azure') ) );",
    ),
    (
        "`ALTER`: `RENAME`",
        "ALTER Picklist colour__c ( RENAME Picklistentry blue__c TO azure__c );",
    ),
    ("`ALTER`: `DROP`", "ALTER Picklist colour__c ( DROP Picklistentry azure__c );"),
    (
        "`ALTER`: values of a list",
        "ALTER Objectlifecyclestate a__c ( prompts ADD ('b__c'), prompts DROP ('c__c') );",
    ),
    (
        "`ALTER`: `DROP` of an attribute",
        "ALTER Picklist colour__c ( DROP description );",
    ),
    ("`RENAME`", "RENAME Picklist colour__c TO shade__c;"),
    ("`DROP`", "DROP Picklist shade__c;"),
    ("`IF EXISTS`", "DROP Picklist IF EXISTS shade__c;"),
]
