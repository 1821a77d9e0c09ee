"""Metadata and rules that the connector's unit tests share."""

from __future__ import annotations

from typing import Any

from services.connector.rules.compile import compile_rule
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.lookups import Lookups
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import read_rule

Json = dict[str, object]


def field(name: str, type: str = "String", **attributes: object) -> Json:
    """One field as the metadata endpoint returns it."""
    return {"name": name, "type": type, **attributes}


def reference(
    name: str, target: str, outbound: str | None = None, **attributes: object
) -> Json:
    """One object reference field."""
    outbound = outbound or name.replace("__v", "__vr")
    return field(
        name,
        "Object",
        object={"name": target},
        relationship_outbound_name=outbound,
        **attributes,
    )


def metadata(
    name: str, *fields: Json, children: dict[str, str] | None = None
) -> ObjectMetadata:
    """Object metadata with the platform fields the rules use."""
    platform = [
        field("id", "ID"),
        field("global_id__sys", unique=True, editable=False, max_length=200),
        field("link__sys", unique=True, max_length=1500),
        field("modified_date__v", "DateTime", editable=False),
    ]
    relationships = [
        {"relationship_name": key, "object": {"name": value}}
        for key, value in (children or {}).items()
    ]
    return ObjectMetadata.from_json(
        {
            "object": {
                "name": name,
                "fields": platform + list(fields),
                "relationships": relationships,
            }
        }
    )


INQUIRY = metadata(
    "medical_inquiry__v",
    reference("account__v", "account__v"),
    reference("product__v", "product__v"),
    reference("country__v", "country__v"),
    field("inquiry_text__v", "LongText", max_length=32000),
    field("delivery_method__v", "Picklist"),
    field("transfer_status__v", "Picklist"),
    field("group_identifier__v", max_length=100),
)
ACCOUNT = metadata(
    "account__v",
    field("first_name_cda__v", max_length=80),
    field("veevaid__v", max_length=100),
    reference("primary_country__v", "country__v"),
    children={"addresses__vr": "address__v"},
)
CASE = metadata(
    "case__v",
    reference("case_contact__v", "person__sys"),
    field("origination_channel__v", "Picklist"),
    field("priority__v", "Picklist"),
    reference("country__v", "country__v"),
)
CASE_REQUEST = metadata(
    "case_request__v",
    reference("case__v", "case__v", relationship_type="parent"),
    reference("product__v", "product__v"),
    field("question__v", "LongText", max_length=40),
    field("quantity__v", "Number", scale=0, min_value=0, max_value=10),
    field("dose__v", "Number", scale=10),
    field("urgent__v", "Boolean"),
    field("due__v", "Date"),
    field("asked__v", "DateTime"),
    field("topics__v", "Picklist", multi_value=True),
)
PERSON = metadata(
    "person__sys",
    field("object_type__v", max_length=20),
    field("first_name__sys", max_length=80),
    field("city__v", max_length=20),
)
TARGETS = {"case__v": CASE, "case_request__v": CASE_REQUEST, "person__sys": PERSON}
SOURCES = {"medical_inquiry__v": INQUIRY, "account__v": ACCOUNT}


def rule_json(
    *field_rules: Json,
    primary: str = "medical_inquiry__v",
    queries: tuple[Json, ...] = (),
) -> Json:
    """One integration rule as the configuration endpoint returns it."""
    return {
        "name": "medical_inquiries__v",
        "active": True,
        "connection": "medical_crm__v",
        "integration_point": "medical_inquiry_details_inbound__v",
        "primary_query_object": primary,
        "Fieldrule": list(field_rules),
        "Queryobjectrule": list(queries),
    }


def field_rule(
    target: str,
    query: str | None = None,
    query_object: str = "medical_inquiry__v",
    **more: Any,
) -> Json:
    """One field rule; ``target`` is ``object.field``."""
    target_object, _, target_field = target.partition(".")
    rule: Json = {
        "name": target_field,
        "active": True,
        "target_object": f"Object.{target_object}",
        "target_object_field": f"Field.{target_field}",
        **more,
    }
    if query is not None:
        rule |= {"query_object": query_object, "query_field": query}
    return rule


def compiled(
    *field_rules: Json,
    lookups: Lookups | None = None,
    primary: str = "medical_inquiry__v",
) -> CompiledRule:
    """A rule of these field rules, compiled against the example metadata."""
    (rule,) = read_rule(rule_json(*field_rules, primary=primary))
    return compile_rule(rule, plan(rule, SOURCES[primary]), TARGETS, lookups or {})
