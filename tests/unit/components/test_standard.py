"""The standard configuration of both Vaults is valid, complete and consistent, file by file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import services.crm_vault
import services.medical_vault
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.platform import BASE_TYPE, SYSTEM_OBJECTS
from shared.vault.components.registry import Registry, is_written_by_connections
from shared.vault.components.schema_changes import plan
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.queries.query_targets import targets_of
from tests.unit.components.builders import run

MEDICAL, CRM = (
    Path(package.__path__[0]) / "standard"
    for package in (services.medical_vault, services.crm_vault)
)
VAULTS = [pytest.param(MEDICAL, id="medical"), pytest.param(CRM, id="crm")]
SOURCE = {MEDICAL: CRM, CRM: MEDICAL}

OBJECT_TYPE = "object_type__v.api_name__v"
READ_TYPE = "object_type__vr.api_name__v"
SELECTED = re.compile(r"\w+\((?P<field>\w+)\) AS \w+")

Row = dict[str, str]


def mdl_of(standard: Path) -> list[Path]:
    return sorted((standard / "components").glob("*.mdl"))


def csv_of(standard: Path) -> list[Path]:
    return [
        file
        for part in ("records", "data")
        for file in sorted((standard / part).glob("*.csv"))
    ]


@cache
def registry_of(standard: Path) -> Registry:
    registry = Registry.build()
    for file in mdl_of(standard):
        registry = run(file.read_text(encoding="utf-8"), registry)
    return registry


def rows_of(file: Path) -> tuple[list[str], list[Row]]:
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return list(reader.fieldnames or ()), list(reader)


def object_of(standard: Path, file: Path) -> VaultObject:
    return registry_of(standard).objects[file.stem.partition("_")[2]]


def types_of(registry: Registry, object_name: str) -> set[str]:
    """The object types of an object besides the base type."""
    return {name for owner, name in registry.object_types if owner == object_name} - {
        BASE_TYPE
    }


def queried_by(source: Registry, rule: Component) -> VaultObject:
    """The query object of a rule in the other Vault: an object, or its documents."""
    name = rule.text("primary_query_object")
    return (
        targets_of(source)[name].object if name == DOCUMENTS else source.objects[name]
    )


def column(standard: Path, owner: VaultObject, header: str) -> tuple[Field, Field]:
    """The field that a column fills, and the field with its values: a referenced key, or the field itself."""
    relationship, _, key = header.partition(".")
    if not key:
        return owner.fields[header], owner.fields[header]
    field = owner.outbound[relationship]
    assert field.object is not None
    return field, registry_of(standard).objects[field.object].fields[key]


@pytest.mark.parametrize("standard", VAULTS)
def test_every_statement_can_be_executed_in_order_and_again(standard: Path) -> None:
    registry = registry_of(standard)
    assert Registry.build(registry.components.values()).objects == registry.objects
    again = registry
    for file in mdl_of(standard):
        again = run(file.read_text(encoding="utf-8"), again)
    assert again.components == registry.components


@pytest.mark.parametrize("standard", VAULTS)
def test_every_component_survives_its_own_mdl(standard: Path) -> None:
    for component in registry_of(standard).components.values():
        (statement,) = parse(render(component))
        assert statement.component == component


@pytest.mark.parametrize("standard", VAULTS)
def test_every_object_has_a_table_plan(standard: Path) -> None:
    for vault_object in registry_of(standard).objects.values():
        assert plan(None, vault_object).statements[0].startswith("CREATE TABLE")


def test_platform_components_are_the_same_in_both_vaults() -> None:
    for name in (
        "10_platform_picklists.mdl",
        "35_platform_lifecycles.mdl",
        "40_platform_objects.mdl",
    ):
        medical, crm = (
            (standard / "components" / name).read_text(encoding="utf-8")
            for standard in (MEDICAL, CRM)
        )
        assert medical == crm


@pytest.mark.parametrize("standard", VAULTS)
def test_columns_are_fields_and_the_first_is_a_unique_key(standard: Path) -> None:
    for file in csv_of(standard):
        owner = object_of(standard, file)
        header, rows = rows_of(file)
        assert owner.fields[header[0]].unique, file.name
        for name in set(header) - {OBJECT_TYPE}:
            field, key = column(standard, owner, name)
            assert field is key or key.unique, (file.name, name)
        required = {
            field.name
            for field in owner.fields.values()
            if field.required and not field.system
        }
        assert required <= {
            column(standard, owner, n)[0].name for n in set(header) - {OBJECT_TYPE}
        }, file.name
        keys = [row[header[0]] for row in rows]
        assert len(keys) == len(set(keys)) > 0, file.name


@pytest.mark.parametrize("standard", VAULTS)
def test_values_fit_their_fields_and_references_are_loaded_before(
    standard: Path,
) -> None:
    loaded: dict[tuple[str, str], set[str]] = {}
    for file in csv_of(standard):
        owner = object_of(standard, file)
        header, rows = rows_of(file)
        for name in header:
            values = {row[name] for row in rows} - {""}
            if name == OBJECT_TYPE:
                assert values <= types_of(registry_of(standard), owner.name), file.name
                continue
            field, key = column(standard, owner, name)
            if field.multi_value:
                values = {value for several in values for value in several.split(",")}
            if field is not key:
                assert values <= loaded[field.object or "", key.name], (file.name, name)
            elif field.type is FieldType.PICKLIST:
                assert values <= set(
                    registry_of(standard).picklists[field.picklist or ""].entries
                ), (file.name, name)
            elif field.type is FieldType.BOOLEAN:
                assert values <= {"true", "false"}
            assert max(map(len, values), default=0) <= (key.max_length or 100), (
                file.name,
                name,
            )
            if key.unique and field is key:
                loaded[owner.name, name] = values


def field_rules(standard: Path) -> Iterator[tuple[Component, Component]]:
    for component in registry_of(standard).components.values():
        if component.type == "Integrationrule":
            for rule in component.children_of("Fieldrule"):
                yield component, rule


@pytest.mark.parametrize("standard", VAULTS)
def test_rules_read_fields_of_the_other_vault(standard: Path) -> None:
    source = registry_of(SOURCE[standard])
    for component, rule in field_rules(standard):
        name, path = rule.text("query_object"), rule.text("query_field").split(".")
        if not name or rule.text("query_field") == READ_TYPE:
            continue
        primary = queried_by(source, component)
        related = {field.object for field in primary.outbound.values()}
        related |= {child for child, _ in source.inbound(primary.name).values()}
        assert name == primary.name or name in related, (component.name, rule.name)
        owner = primary if name == primary.name else source.objects[name]
        for relationship in path[:-1]:
            owner = source.objects[owner.outbound[relationship].object or ""]
        read = SELECTED.fullmatch(rule.text("query_field_select"))
        assert (read["field"] if read else path[-1]) in owner.fields, (
            component.name,
            rule.name,
        )


@pytest.mark.parametrize("standard", VAULTS)
def test_rules_use_lookups_that_are_loaded(standard: Path) -> None:
    (file,) = (standard / "records").glob("*_reference_lookup__sys.csv")
    sets = {
        (
            row["reference_lookup_name__sys"],
            row["reference_lookup_type__sys"].removesuffix("__sys"),
        )
        for row in rows_of(file)[1]
    }
    used = {
        (rule.text("reference_lookup"), rule.text("reference_lookup_type"))
        for _, rule in field_rules(standard)
        if rule.text("reference_lookup")
    }
    assert used == sets


def source_keys(source: Registry, queried: VaultObject, field: str) -> set[str]:
    """All values that a field of the source may have."""
    if field == READ_TYPE:
        return types_of(source, queried.name)
    if queried.name == DOCUMENTS:
        states = [
            state
            for lifecycle in source.documents.lifecycles.values()
            for state in lifecycle.states.values()
        ]
        return {
            state.name for state in states if state.state_type != "initial_state__sys"
        }
    if field == "state__v":
        return set(source.lifecycles[queried.lifecycle or ""].states)
    return set(source.picklists[queried.fields[field].picklist or ""].entries)


@pytest.mark.parametrize("standard", VAULTS)
def test_lookups_lead_from_all_source_values_to_target_values(standard: Path) -> None:
    rows = rows_of(next((standard / "records").glob("*_reference_lookup__sys.csv")))[1]
    source, target = registry_of(SOURCE[standard]), registry_of(standard)
    for component, rule in field_rules(standard):
        name = rule.text("reference_lookup")
        if not name:
            continue
        keys = {
            row["source_key__sys"]: row["target_key__sys"]
            for row in rows
            if row["reference_lookup_name__sys"] == name
        }
        queried = queried_by(source, component)
        assert set(keys) == source_keys(source, queried, rule.text("query_field"))
        aimed = target.objects[rule.reference("target_object") or ""].fields[
            rule.reference("target_object_field") or ""
        ]
        if aimed.picklist is not None:
            assert set(keys.values()) <= set(target.picklists[aimed.picklist].entries)


@pytest.mark.parametrize("standard", VAULTS)
def test_rules_and_queues_use_the_connection_and_its_points(standard: Path) -> None:
    records = standard / "records"
    connections = {
        row["api_name__sys"] for row in rows_of(records / "10_connection__sys.csv")[1]
    }
    points = {
        row["integration_point_api_name__sys"]
        for row in rows_of(records / "30_integration_point__sys.csv")[1]
    }
    remote = registry_of(SOURCE[standard])
    for component in registry_of(standard).components.values():
        if component.type == "Integrationrule":
            assert component.text("connection") in connections
            assert component.text("integration_point") in points
    for queue in registry_of(standard).queues.values():
        for connection in queue.connections:
            assert connection.connection_name in connections
            assert (connection.deliver_to_queue in remote.queues) == (
                queue.type == "outbound"
            )


def test_the_names_that_the_documentation_settles() -> None:
    medical, crm = registry_of(MEDICAL), registry_of(CRM)
    assert set(medical.queues) == {
        "medical_crm_outbound_queue__v",
        "medical_crm_inbound_queue__v",
    }
    assert set(crm.queues) == {
        "crm_to_medical_outbound_queue__v",
        "medical_to_crm_inbound__v",
    }
    assert (
        (MEDICAL / "records" / "20_integration__sys.csv")
        .read_text(encoding="utf-8")
        .endswith("inactive__v\n")
    )
    for name in (
        "person__sys",
        "case_contact_source_data__v",
        "case__v",
        "case_request__v",
    ):
        assert medical.objects[name].fields["link__sys"].unique
    assert ("person__sys", "case_contact__v") in medical.object_types


def test_eight_integrations_with_fifteen_points() -> None:
    records = MEDICAL / "records"
    integrations = [
        row["name__v"] for row in rows_of(records / "20_integration__sys.csv")[1]
    ]
    points = [
        row["name__v"] for row in rows_of(records / "30_integration_point__sys.csv")[1]
    ]
    assert (len(integrations), len(points)) == (8, 15)
    assert all(name.endswith(" Integration") for name in integrations)
    assert all(name.endswith(" Integration Point") for name in points)
    assert "CLM Outbound Integration Point" in points


def test_one_crm_product_is_unknown_to_medical_and_every_agreement_is_there() -> None:
    medical, crm = (
        {
            row["external_id__v"]: row["name__v"]
            for row in rows_of(standard / "data" / "20_product__v.csv")[1]
        }
        for standard in (MEDICAL, CRM)
    )
    assert medical.items() < crm.items()
    countries = rows_of(MEDICAL / "data" / "10_country__v.csv")[1]
    agreements = set(registry_of(MEDICAL).picklists["pull_accounts_rule__v"].entries)
    assert {row["pull_accounts_rule__v"] for row in countries} == agreements | {""}


ANSWERS = {
    f"medical_inquiry__v.{name}"
    for name in (
        "transfer_status__v",
        "transfer_error__v",
        "inquiry_status__v",
        "response__v",
        "response_package_link__v",
        "closed_date__v",
    )
}

ANSWERED = {
    "case_request__v.closed_date__v",
    "case_response__v.response_package_link__v",
}


@pytest.mark.parametrize(
    ("standard", "expected"),
    [(CRM, ANSWERS), (MEDICAL, ANSWERED)],
)
def test_what_people_may_not_edit_of_business_data_is_in_no_copy(
    standard: Path, expected: set[str]
) -> None:
    fixed = {
        f"{vault_object.name}.{field.name}": field.no_copy
        for vault_object in registry_of(standard).objects.values()
        for field in vault_object.fields.values()
        if is_written_by_connections(vault_object.name, field)
    }
    assert fixed == dict.fromkeys(expected, True)


DELIVERED = [
    ("email__v", {"email__v"}),
    ("phone__v", {"phone_number__v"}),
    ("fax__v", {"fax_number__v"}),
    ("mail__v", {"address_line_1__v", "city__v"}),
    ("urgent_mail__v", {"address_line_1__v", "city__v"}),
]


def test_every_delivery_method_needs_details_of_a_submitted_inquiry() -> None:
    registry = registry_of(CRM)
    lifecycle = registry.lifecycles["medical_inquiry_lifecycle__v"]
    criteria = lifecycle.states["submitted_state__v"].entry_criteria
    always = {each.required_field for each in criteria if each.condition is None}
    assert always == {"account__v", "country__v", "inquiry_text__v", "delivery_method__v"}  # fmt: skip
    needed = {
        method: {
            each.required_field
            for each in criteria
            if each.condition and f"'{method}'" in each.condition
        }
        for method in registry.picklists["delivery_method__v"].entries
    }
    assert needed == dict(DELIVERED)


def test_system_objects_are_those_that_vaults_are_made_with() -> None:
    names = {
        name for standard in (MEDICAL, CRM) for name in registry_of(standard).objects
    }
    assert {name for name in names if name.endswith("__sys")} == SYSTEM_OBJECTS
