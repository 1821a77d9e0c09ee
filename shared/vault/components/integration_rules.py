"""Checks that the attributes of an integration rule and its parts agree with each other."""

from __future__ import annotations

import re

from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_kinds import PartKind
from shared.vault.components.component_tree import Component

__all__ = ["DOCUMENTS", "check_integration_rule"]

# What documents are called as a query object.
DOCUMENTS = "documents"

# What a default of type code may be: values of the source record that never change for it.
DEFAULT_CODES = (
    "source_id",
    "source_global_id",
    "source_modified_date",
    "source_vault_id",
)

_SELECT = re.compile(
    r"(?:[\w.]+|[A-Za-z]\w*\(\s*[\w.]+\s*\))(?:\s+(?:[Aa][Ss]\s+)?(?P<alias>\w+))?"
)
_RELATIONSHIP = re.compile(r"__(?:vr|cr|sysr)\b")
_SOURCE_ATTRIBUTES = ("query_object", "query_field", "query_field_select")


def check_integration_rule(component: Component) -> None:
    """Check that the attributes of a rule, each valid by itself, agree with each other.

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
    target_object = rule.text("target_object")
    target_docfield = rule.text("target_docfield")
    if bool(target_object) == bool(target_docfield):
        message = (
            "give either target_object with target_object_field, or target_docfield."
        )
        raise ComponentError(f"{path}: {message}")
    _check_pair(
        rule,
        "target_object",
        "target_object_field",
        path,
    )


def _check_source(rule: Component, path: str) -> None:
    field = rule.text("query_field")
    if not field and not rule.text("field_default"):
        message = "give query_object with query_field, or field_default."
        raise ComponentError(f"{path}: {message}")
    _check_pair(
        rule,
        "query_object",
        "query_field",
        path,
    )
    kind, _, _ = rule.text("query_field_type").partition("_")
    if kind == "document" and rule.text("query_object") != DOCUMENTS:
        message = f"a document_… query_field_type is for the query_object {DOCUMENTS}."
        raise ComponentError(f"{path}: {message}")
    select = rule.text("query_field_select")
    if select:
        _check_select(select, field, path)


def _check_select(
    select: str,
    field: str,
    path: str,
) -> None:
    if not field:
        message = "query_field_select needs query_field, which names its result."
        raise ComponentError(f"{path}: {message}")
    match = _SELECT.fullmatch(select.strip())
    if match is None:
        message = "query_field_select must be a field or FUNCTION(field), each with or without alias."
        raise ComponentError(f"{path}: {message}")
    # The answer of the query has the value under its alias, and the rule reads it by query_field.
    if match["alias"] not in (None, field):
        message = "the alias in query_field_select must be the query_field."
        raise ComponentError(f"{path}: {message}")


def _check_lookup(rule: Component, path: str) -> None:
    _check_pair(
        rule,
        "reference_lookup",
        "reference_lookup_type",
        path,
    )
    lookup = rule.text("reference_lookup")
    if lookup and not rule.text("query_field"):
        message = "reference_lookup needs query_field, whose value it translates."
        raise ComponentError(f"{path}: {message}")
    _check_missing(rule, path)
    if rule.text("empty_source") and not rule.text("query_field"):
        raise ComponentError(f"{path}: empty_source needs query_field.")


def _check_missing(rule: Component, path: str) -> None:
    missing = rule.text("missing_lookup")
    if not missing:
        return
    translated = bool(rule.text("reference_lookup"))
    if not translated and not rule.text("target_field_lookup"):
        message = "missing_lookup needs reference_lookup or target_field_lookup."
        raise ComponentError(f"{path}: {message}")
    if missing != "default":
        return
    # A default in place of a record that does not exist could lack a record itself.
    if not translated:
        raise ComponentError(
            f"{path}: missing_lookup('default') needs reference_lookup."
        )
    if not rule.text("field_default"):
        raise ComponentError(f"{path}: missing_lookup('default') needs field_default.")


def _check_default(rule: Component, path: str) -> None:
    kind = rule.text("field_default_type")
    default = rule.text("field_default")
    if kind and not default:
        raise ComponentError(f"{path}: field_default_type needs field_default.")
    if kind == "code" and default not in DEFAULT_CODES:
        codes = ", ".join(DEFAULT_CODES)
        message = f"a field_default of type code must be one of {codes}."
        raise ComponentError(f"{path}: {message}")


def _check_pair(
    rule: Component,
    first: str,
    second: str,
    path: str,
) -> None:
    """Raise ComponentError unless the rule has both of two attributes, or neither."""
    if bool(rule.text(first)) != bool(rule.text(second)):
        raise ComponentError(f"{path}: {first} and {second} need each other.")


def _refuse_relationships(
    rule: Component,
    path: str,
) -> None:
    for attribute in _SOURCE_ATTRIBUTES:
        # A relationship starts at the primary object of a query: without one it has no beginning.
        if _RELATIONSHIP.search(rule.text(attribute)):
            message = (
                f"{attribute} names a relationship; that needs primary_query_object."
            )
            raise ComponentError(f"{path}: {message}")
