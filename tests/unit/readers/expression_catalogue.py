"""Lists every regular expression of the code with the functions that apply it; these are tested to be linear.

An expression or a function that is missing here fails ``test_expressions.py``. ``fullmatch`` and ``match`` read from
the beginning; the others start again at every character, and so demand more of an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from shared.vault.components import renaming
from shared.vault.components.component_tree import Embedded

EXPRESSIONS: Mapping[str, Collection[str]] = {
    "services.connector.crm_lookup.account_search:_WORD": {"findall", "search"},
    "services.connector.points.saving:_NAMED_FIELD": {"finditer"},
    "services.connector.receiving.verification:CERTIFICATE_ID": {"fullmatch"},
    "services.connector.receiving.verification:VAULT_ID": {"fullmatch"},
    "services.connector.rules.conversion:_DATE_TIME": {"fullmatch"},
    "services.connector.rules.conversion:_NUMBER": {"fullmatch"},
    "services.connector.rules.query_plan:_SELECT": {"fullmatch"},
    "services.connector.rules.query_plan:_TOKEN": {"sub"},
    "services.connector.rules.rule:_RELATIONSHIP": {"search"},
    "shared.protocol.client_ids:CLIENT_ID": {"fullmatch"},
    "shared.protocol.csv_cells:FORMULA": {"match"},
    "shared.protocol.csv_cells:_MARKED": {"match"},
    "shared.protocol.json_values:_LONG_RUN": {"finditer"},
    "shared.protocol.json_values:_STRING_OR_LONG_EXPONENT": {"sub"},
    "shared.protocol.json_values:_STRING": {"match"},
    "shared.protocol.redaction:_SHOWN_VALUE": {"sub"},
    "shared.runtime.logging:_QUOTED": {"sub"},
    "shared.spark.envelope:_UNSTORABLE": {"search"},
    "shared.vault.admin.error_advice:IN_BRACKETS": {"sub"},
    "shared.vault.admin.listing:WORD": {"findall"},
    "shared.vault.admin.rendering:NAME_BREAK": {"sub"},
    "shared.vault.admin.similar_answers:QUESTION_WORD": {"findall"},
    "shared.vault.audit.sign_in_entries:BROWSER": {"finditer"},
    "shared.vault.audit.sign_in_entries:COMMENT": {"search"},
    "shared.vault.audit.sign_in_entries:PLATFORM": {"finditer"},
    "shared.vault.api.file_body:RANGE": {"fullmatch"},
    "shared.vault.api.json_rows:_ESCAPE": {"sub"},
    "shared.vault.api.json_rows:_TOKEN": {"finditer"},
    "shared.vault.api.listed_records:NAME": {"fullmatch"},
    "shared.vault.api.listed_records:_PLACE": {"sub"},
    "shared.vault.api.notifications:ID": {"fullmatch"},
    "shared.vault.api.picklists:VALUE": {"fullmatch"},
    "shared.vault.api.query:FIELD": {"fullmatch"},
    "shared.vault.api.own_address:HOST": {"fullmatch"},
    "shared.vault.api.request_context:REFERENCE_ID": {"fullmatch"},
    "shared.vault.api.single_slashes:_SLASHES": {"sub"},
    "shared.vault.api.staging:SIZE": {"fullmatch"},
    "shared.vault.api.xml_answers:_NOT_NAME": {"sub"},
    "shared.vault.api.xml_answers:_NOT_XML": {"sub"},
    "shared.vault.attachments.file_fields:HANDLE": {"fullmatch"},
    "shared.vault.components.component_validation:_BARE_REFERENCE": {"fullmatch"},
    "shared.vault.components.component_validation:_FREE": {"fullmatch"},
    "shared.vault.components.component_validation:_UNUSED_ATTRIBUTE": {"fullmatch"},
    "shared.vault.components.component_validation:_MEMBER": {"fullmatch"},
    "shared.vault.components.component_validation:_NAMESPACED": {"fullmatch"},
    "shared.vault.components.component_validation:_OPTIONAL_NAMESPACE": {"fullmatch"},
    "shared.vault.components.configured_queries:_PATH": {"fullmatch"},
    "shared.vault.components.configured_queries:_TOKEN": {"findall", "sub"},
    "shared.vault.components.consistency:_PREFIX": {"fullmatch"},
    "shared.vault.components.consistency:_RELATIONSHIP": {"fullmatch"},
    "shared.vault.components.consistency:_VALUE_FORMAT": {"fullmatch"},
    "shared.vault.components.document_model:_SEGMENT": {"fullmatch"},
    "shared.vault.components.integration_rules:_RELATIONSHIP": {"search"},
    "shared.vault.components.integration_rules:_SELECT": {"fullmatch"},
    "shared.vault.components.lifecycles:_ACTION": {"fullmatch"},
    "shared.vault.components.mdl:_ESCAPE": {"sub"},
    "shared.vault.components.naming:_APART": {"sub"},
    "shared.vault.components.object_types:_NAMED_VALUE": {"findall", "sub"},
    "shared.vault.components.schema:_IDENTIFIER": {"fullmatch"},
    "shared.vault.components.uses:_QUALIFIED": {"fullmatch"},
    "shared.vault.components.uses:_REFERENCE": {"findall", "fullmatch"},
    "shared.vault.configuration.order_indexes:_ALIASED": {"findall"},
    "shared.vault.configuration.order_indexes:_DATED": {"findall"},
    "shared.vault.connections.allowed_addresses:HOST": {"fullmatch"},
    "shared.vault.connections.connection_rules:API_NAME": {"fullmatch"},
    "shared.vault.connections.connection_rules:VAULT_ID": {"fullmatch"},
    "shared.vault.documents.texts:_ENDLESS_REFERENCE": {"sub"},
    "shared.vault.documents.texts:_SPACE": {"sub"},
    "shared.vault.documents.texts:_TAGS": {"sub"},
    "shared.vault.documents.versions:_DIGITS": {"sub"},
    "shared.vault.fulfillment.fulfillment_model:TOKEN": {"fullmatch"},
    "shared.vault.integrations.reference_lookups:_GENERIC_NAME": {"fullmatch"},
    "shared.vault.loader.extract:_FUNCTION": {"fullmatch"},
    "shared.vault.loader.request:FIELD": {"fullmatch"},
    "shared.vault.loader.request:NAME": {"fullmatch"},
    "shared.vault.packages.package_reading:_NUMBER": {"fullmatch"},
    "shared.vault.packages.package_results:_UNSAFE": {"sub"},
    "shared.vault.queries.queries:RECORD_ID": {"match"},
    "shared.vault.records.email_addresses:PLAIN": {"fullmatch"},
    "shared.vault.records.field_values:DATE": {"fullmatch"},
    "shared.vault.records.field_values:DATE_TIME": {"fullmatch"},
    "shared.vault.records.field_values:NUMBER": {"fullmatch"},
    "shared.vault.records.picklist_service:STEM": {"fullmatch"},
    "shared.vault.records.record_statements:NAME_FORMAT": {"match"},
    "shared.vault.security.group_service:MEMBERS": {"fullmatch"},
    "shared.vault.security.password_rules:NUMBERS": {"sub"},
    "shared.vault.security.password_rules:SEPARATORS": {"split"},
    "shared.vault.security.sessions:ACCESS_TOKEN": {"fullmatch"},
    "shared.vault.security.sessions:SESSION_ID": {"fullmatch"},
    "shared.vault.security.user_records:PLAIN_NAME": {"fullmatch"},
    "shared.vault.security.user_settings:CODE": {"fullmatch"},
    "shared.vault.vql.find:_ID": {"match"},
    "shared.vault.vql.operands:_DATE": {"fullmatch"},
    "shared.vault.vql.operands:_DATE_TIME": {"fullmatch"},
    "shared.vault.vql.operands:_DIGITS": {"fullmatch"},
    "shared.vault.workflows.participants:_NAMED": {"fullmatch"},
    "shared.vault.api.document_workflows:DOCUMENT": {"fullmatch"},
    "shared.vault.api.workflows:RECORD": {"fullmatch"},
    "shared.vault.api.workflows:USER": {"fullmatch"},
    "shared.vault.vql.phrase:_ESCAPED": {"sub"},
    "shared.vault.vql.phrase:_PIECE": {"findall"},
    "shared.vault.vql.vql_tokens:_CLOSED_STRING": {"fullmatch"},
    "shared.vault.vql.vql_tokens:_ESCAPE": {"finditer", "sub"},
    "shared.vault.vql.vql_tokens:_NUMBER_BODY": {"findall", "fullmatch"},
    "shared.vault.vql.vql_tokens:_STRING_BODY": {"findall"},
    "shared.vault.vql.word_index:_MARKS": {"sub"},
    "shared.vault.vql.word_index:_PLAIN_WORD": {"findall"},
    "shared.vault.vql.word_index:_WORD": {"findall"},
    "shared.vault.vql.vql_tokens:_TOKEN": {"findall", "finditer"},
}
"""By module and name, the methods by which each is applied."""

CONSTRAINTS = frozenset(
    {
        "shared.vault.admin.user_pages:UserId",
        "shared.vault.api.records:ComponentName",
        "shared.vault.api.users:UserId",
    }
)
"""Patterns of annotations: pydantic runs them with an engine that is linear for every expression."""


def _renamed_reference(text: str) -> object:
    rewrite = renaming._reference_rewrite(["Object"], "a__c", "b__c", ["Field"])
    return rewrite("expression", Embedded(text))


def _renamed_beginning(text: str) -> object:
    rewrite = renaming._reference_rewrite(["Object"], "a__c", "b__c", ["Field"])
    return rewrite("label", text)


def _renamed_in_criteria(text: str) -> object:
    return renaming._lifecycle_field_rewrite("a__c", "b__c")("criteria", text)


MADE_AT_RUN_TIME: Mapping[str, Mapping[str, Callable[[str], object]]] = {
    "shared.vault.components.renaming:_reference_rewrite": {
        r"(?<![\w.])(?:(Object)\.a__c(?![A-Za-z0-9_])|(Field)\.a__c(?=\.))": _renamed_reference,
        r"(?:(Object)\.a__c(?![A-Za-z0-9_])|(Field)\.a__c(?=\.))": _renamed_beginning,
    },
    "shared.vault.components.renaming:_lifecycle_field_rewrite": {
        r"(?<![\w.'])(a__c)(?!\w)": _renamed_in_criteria,
    },
}
"""By the function that makes them, the form of each expression and what applies it."""
