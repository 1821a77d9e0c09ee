"""Checks that the attributes of an integration rule and its parts agree with each other."""

from __future__ import annotations

import re

from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_kinds import PartKind
from shared.vault.components.component_tree import Component

__all__ = ["DOCUMENTS", "check_integration_rule"]

DOCUMENTS = "documents"
"""What documents are called as a query object."""

DEFAULT_CODES = (
    "source_id",
    "source_global_id",
    "source_modified_date",
    "source_vault_id",
)
"""What a default of type code may be: values of the source record that never change for it."""

_SELECT = re.compile(
    r"(?:[\w.]+|[A-Za-z]\w*\(\s*[\w.]+\s*\))(?:\s+(?:[Aa][Ss]\s+)?(?P<alias>\w+))?"
)
_RELATIONSHIP = re.compile(r"__(?:vr|cr|sysr)\b")
_SOURCE_ATTRIBUTES = ("query_object", "query_field", "query_field_select")


def check_integration_rule(component: Component) -> None:
    """Check a rule, valid attribute by attribute.

    :raises ComponentError: naming the part, the attribute, and what is allowed.
    """
    for rule in component.children_of(PartKind.FIELD_RULE):
        path = f"{component.full_name}: Fieldrule {rule.name}"
        _check_target(rule, path)
        _check_source(rule, path)
        _check_lookup(rule, path)
        _check_default(rule, path)
        if not component.text("primary_query_object"):
            _refuse_relationships(rule, path)


def _check_target(rule: Component, path: str) -> None:
    if bool(rule.text("target_object")) == bool(rule.text("target_docfield")):
        raise ComponentError(
            f"{path}: give either target_object with target_object_field, or target_docfield."
        )
    if bool(rule.text("target_object")) != bool(rule.text("target_object_field")):
        raise ComponentError(
            f"{path}: target_object and target_object_field need each other."
        )


def _check_source(rule: Component, path: str) -> None:
    field, select = rule.text("query_field"), rule.text("query_field_select")
    if not field and not rule.text("field_default"):
        raise ComponentError(
            f"{path}: give query_object with query_field, or field_default."
        )
    if bool(field) != bool(rule.text("query_object")):
        raise ComponentError(f"{path}: query_object and query_field need each other.")
    kind = rule.text("query_field_type").partition("_")[0]
    if kind == "document" and rule.text("query_object") != DOCUMENTS:
        raise ComponentError(
            f"{path}: a document_… query_field_type is for the query_object {DOCUMENTS}."
        )
    if not select:
        return
    if not field:
        raise ComponentError(
            f"{path}: query_field_select needs query_field, which names its result."
        )
    match = _SELECT.fullmatch(select.strip())
    if match is None:
        raise ComponentError(
            f"{path}: query_field_select must be a field or FUNCTION(field), each with or without alias."
        )
    if match["alias"] not in (None, field):
        raise ComponentError(
            f"{path}: the alias in query_field_select must be the query_field."
        )


def _check_lookup(rule: Component, path: str) -> None:
    if bool(rule.text("reference_lookup")) != bool(rule.text("reference_lookup_type")):
        raise ComponentError(
            f"{path}: reference_lookup and reference_lookup_type need each other."
        )
    if rule.text("reference_lookup") and not rule.text("query_field"):
        raise ComponentError(
            f"{path}: reference_lookup needs query_field, whose value it translates."
        )
    missing = rule.text("missing_lookup")
    if missing and not rule.text("reference_lookup"):
        raise ComponentError(f"{path}: missing_lookup needs reference_lookup.")
    if missing == "default" and not rule.text("field_default"):
        raise ComponentError(f"{path}: missing_lookup('default') needs field_default.")


def _check_default(rule: Component, path: str) -> None:
    kind, default = rule.text("field_default_type"), rule.text("field_default")
    if kind and not default:
        raise ComponentError(f"{path}: field_default_type needs field_default.")
    if kind == "code" and default not in DEFAULT_CODES:
        raise ComponentError(
            f"{path}: a field_default of type code must be one of {', '.join(DEFAULT_CODES)}."
        )


def _refuse_relationships(rule: Component, path: str) -> None:
    for attribute in _SOURCE_ATTRIBUTES:
        if _RELATIONSHIP.search(rule.text(attribute)):
            raise ComponentError(
                f"{path}: {attribute} names a relationship; that needs primary_query_object."
            )
