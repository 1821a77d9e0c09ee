"""A small registry to compile statements against: accounts, addresses, countries, inquiries, secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.vault.components.component_tree import Component
from shared.vault.components.document_model import build_documents
from shared.vault.components.mdl import parse
from shared.vault.model.component_model import (
    DocumentModel,
    Field,
    FieldType,
    Lifecycle,
    LifecycleState,
    ObjectType,
    Picklist,
    PicklistEntry,
    RelationshipType,
    VaultObject,
)
from shared.vault.queries.query_targets import targets_of


def a_field(name: str, type_: FieldType, **attributes: object) -> Field:
    return Field(
        name=name,
        label=name.partition("__")[0].replace("_", " ").title(),
        type=type_,
        **attributes,  # type: ignore[arg-type]
    )


def a_reference(name: str, target: str, inbound: str | None = None) -> Field:
    stem, _, suffix = name.rpartition("__")
    return a_field(
        name,
        FieldType.OBJECT,
        object=target,
        relationship_type=RelationshipType.REFERENCE,
        relationship_outbound_name=f"{stem}__{suffix}r",
        relationship_inbound_name=inbound,
    )


def platform_fields() -> list[Field]:
    return [
        a_field("id", FieldType.ID, required=True, unique=True, system=True),
        a_field(
            "global_id__sys", FieldType.STRING, unique=True, system=True, max_length=200
        ),
        a_field("link__sys", FieldType.STRING, unique=True, max_length=1500),
        a_field("name__v", FieldType.STRING, required=True, max_length=128),
        a_field("status__v", FieldType.PICKLIST, picklist="default_status__v"),
        a_field("created_by__v", FieldType.NUMBER, system=True),
        a_field("created_date__v", FieldType.DATE_TIME, system=True),
        a_field("modified_by__v", FieldType.NUMBER, system=True),
        a_field("modified_date__v", FieldType.DATE_TIME, system=True),
    ]


def an_object(
    name: str,
    label: str,
    *fields: Field,
    lifecycle: str | None = None,
    attachments: bool = False,
) -> VaultObject:
    every = {field.name: field for field in (*platform_fields(), *fields)}
    return VaultObject(
        name,
        label,
        f"{label}s",
        name[:3].upper(),
        lifecycle=lifecycle,
        allow_attachments=attachments,
        fields=every,
    )


OBJECTS = {
    vault_object.name: vault_object
    for vault_object in (
        an_object("region__v", "Region"),
        an_object(
            "country__v",
            "Country",
            a_field("country_code__v", FieldType.STRING, max_length=2),
            a_reference("region__v", "region__v"),
        ),
        an_object(
            "account__v",
            "Account",
            a_field("npi__v", FieldType.STRING, unique=True, max_length=20),
            a_field("biography__v", FieldType.LONG_TEXT, max_length=32000),
            a_field("notes__v", FieldType.RICH_TEXT, max_length=32000),
            a_field("beds__v", FieldType.NUMBER, scale=0, min_value=0, max_value=99999),
            a_field("score__v", FieldType.NUMBER, scale=2),
            a_field("do_not_call__v", FieldType.BOOLEAN),
            a_field("birth_date__v", FieldType.DATE),
            a_field("portrait__v", FieldType.ATTACHMENT),
            a_field(
                "languages__v",
                FieldType.PICKLIST,
                picklist="language__v",
                multi_value=True,
            ),
            a_field("object_type__v", FieldType.STRING, system=True),
            a_field("lifecycle__v", FieldType.STRING, system=True),
            a_field("state__v", FieldType.STRING, system=True),
            a_reference("primary_country__v", "country__v", "accounts__vr"),
            a_reference("parent_account__v", "account__v", "child_accounts__vr"),
            lifecycle="account_lifecycle__v",
            attachments=True,
        ),
        an_object(
            "address__v",
            "Address",
            a_field("city_cda__v", FieldType.STRING, max_length=100),
            a_field("primary_cda__v", FieldType.BOOLEAN),
            a_reference("account__v", "account__v", "addresses__vr"),
            a_reference("country__v", "country__v", "addresses__vr"),
        ),
        an_object(
            "medical_inquiry__v",
            "Medical Inquiry",
            a_field("inquiry_text__v", FieldType.LONG_TEXT, max_length=32000),
            a_field("received_date__v", FieldType.DATE),
            a_reference("account__v", "account__v", "medical_inquiries__vr"),
        ),
        an_object(
            "secret__v",
            "Secret",
            a_reference("account__v", "account__v", "secrets__vr"),
            attachments=True,
        ),
        an_object(
            "user__sys",
            "User",
            a_field(
                "username__sys",
                FieldType.STRING,
                required=True,
                unique=True,
                max_length=255,
            ),
            a_field("first_name__sys", FieldType.STRING, max_length=80),
            a_field("email__sys", FieldType.STRING, max_length=255),
        ),
        an_object(
            "holder__v", "Holder", a_reference("secret__v", "secret__v", "holders__vr")
        ),
    )
}


PICKLISTS = {
    "default_status__v": Picklist(
        "default_status__v",
        "Status",
        entries={
            "active__v": PicklistEntry("active__v", "Active"),
            "inactive__v": PicklistEntry("inactive__v", "Off"),
        },
    ),
    "language__v": Picklist(
        "language__v", "Language", entries={"fr__v": PicklistEntry("fr__v", "French")}
    ),
}
LIFECYCLES = {
    "account_lifecycle__v": Lifecycle(
        "account_lifecycle__v",
        "Account Lifecycle",
        "new_state__v",
        states={
            "new_state__v": LifecycleState(
                "new_state__v", "New", state_type="initial_state__sys"
            ),
            "done_state__v": LifecycleState(
                "done_state__v", "Done", state_type="complete_state__sys"
            ),
        },
    )
}


@dataclass(frozen=True)
class SampleRegistry:
    objects: Mapping[str, VaultObject]
    picklists: Mapping[str, Picklist]
    lifecycles: Mapping[str, Lifecycle]
    components: Mapping[tuple[str, str], Component]
    object_types: Mapping[tuple[str, str], ObjectType]
    documents: DocumentModel

    def object_type_id(self, object_name: str, type_name: str) -> str:
        return f"OOT.{object_name}.{type_name}"

    def inbound(self, object_name: str) -> Mapping[str, tuple[str, Field]]:
        return {
            field.relationship_inbound_name: (child.name, field)
            for child in self.objects.values()
            for field in child.outbound.values()
            if field.object == object_name and field.relationship_inbound_name
        }


DOCUMENTS = """
RECREATE Doclifecycle content__v (label('Content'),
  Doclifecyclestate draft__v (label('Draft'), state_type('initial_state__sys')),
  Doclifecyclestate approved__v (label('Approved'), state_type('steady_state__sys')));
RECREATE Doctype email_template__v (label('Email Template'), available_lifecycles('Doclifecycle.content__v'));
RECREATE Docfield country__v (label('Country'), type('ObjectReference'), object('Object.country__v'),
  relationship_inbound_name('documents__vr'));
RECREATE Docfield language__v (label('Language'), type('Picklist'), picklist('Picklist.language__v'));
RECREATE Docfield expires__v (label('Expires'), type('Date'));
RECREATE Docfield page__v (label('Page'), type('URL'));
"""

REGISTRY = SampleRegistry(
    OBJECTS,
    PICKLISTS,
    LIFECYCLES,
    {
        ("Picklist", "language__v"): Component(
            "Picklist", "language__v", {"label": ("Language",)}
        )
    },
    {("account__v", "hcp__v"): ObjectType("hcp__v", "account__v", "Professional")},
    build_documents(
        statement.component for statement in parse(DOCUMENTS) if statement.component
    ),
)
TARGETS = targets_of(REGISTRY)


def readable(object_name: str) -> bool:
    return object_name != "secret__v"
