"""Where content is wanted, and how a rule reads documents."""

from __future__ import annotations

import pytest

from services.connector.points.clm_content import Countries
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import read_rule

USED = Countries(
    {"clm__v": frozenset({"DE", "FR"}), "approved_email__v": frozenset({"FR"})}
)


@pytest.mark.parametrize(
    ("object_name", "country", "wanted"),
    [
        ("clm_presentation__v", "DE", True),
        ("clm_presentation__v", "GB", False),
        ("clm_presentation__v", "", True),
        ("approved_document__v", "DE", False),
        ("approved_document__v", "FR", True),
        ("sample__c", "DE", True),
    ],
)
def test_a_document_is_wanted_where_its_feature_is_used(
    object_name: str, country: str, wanted: bool
) -> None:
    assert USED.uses(object_name, country) is wanted
    assert not Countries({}).uses(object_name, country)


def test_a_rule_reads_the_newest_version_that_fits() -> None:
    documents = ObjectMetadata.from_json(
        {
            "properties": [
                {
                    "name": "name__v",
                    "type": "String",
                    "editable": True,
                    "maxLength": 100,
                },
                {
                    "name": "product__v",
                    "type": "ObjectReference",
                    "objectType": "product__v",
                    "relationshipName": "product__vr",
                },
            ]
        }
    )
    assert (
        documents.fields["name__v"].max_length,
        documents.fields["product__v"].outbound,
    ) == (100, "product__vr")
    target = {"target_object": "Object.sample__c", "query_object": "documents"}
    (rule,) = read_rule(
        {
            "name": "sample__c",
            "connection": "medical_crm__v",
            "integration_point": "sample__c",
            "primary_query_object": "documents",
            "Queryobjectrule": [
                {
                    "name": "a__c",
                    "query_object": "documents",
                    "filter_clause": "status__v = STEADYSTATE()",
                }
            ],
            "Fieldrule": [
                {
                    **target,
                    "name": "b__c",
                    "target_object_field": "Field.name__v",
                    "query_field": "name__v",
                },
                {
                    **target,
                    "name": "c__c",
                    "target_object_field": "Field.code__c",
                    "query_object": "product__v",
                    "query_field": "external_id__v",
                },
            ],
        }
    )
    found = plan(rule, documents)
    (statement,) = found.statements(["7"])
    assert statement == (
        "SELECT LATESTVERSION id, global_id__sys, version_modified_date__v, name__v, product__vr.external_id__v "
        "FROM ALLVERSIONS documents WHERE id CONTAINS ('7') AND (status__v = STEADYSTATE())"
    )
