"""Holds all components of one Vault at one moment, built into the typed model and checked against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeVar

from shared.vault.components import build, platform
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_references import (
    check_references,
    relationships_into,
)
from shared.vault.components.component_tree import Component
from shared.vault.components.component_validation import check
from shared.vault.components.consistency import OBJECT_TYPE_ID_PREFIX
from shared.vault.components.document_model import build_documents
from shared.vault.components.lifecycles import associated, build_lifecycle
from shared.vault.components.naming import with_prefix
from shared.vault.components.permission_types import BUSINESS_OBJECTS, PROFILE
from shared.vault.components.uses import users_of
from shared.vault.model.component_model import (
    DocumentModel,
    Field,
    Lifecycle,
    ObjectType,
    ObjectUserAction,
    Picklist,
    Queue,
    UserAction,
    VaultObject,
)

if TYPE_CHECKING:
    from shared.vault.vql import CompiledQuery

__all__ = ["ComponentError", "Registry", "component_id", "object_type_id"]

_BUSINESS = frozenset({"person__sys", BUSINESS_OBJECTS})
# Platform objects that Vault names without __sys.
_PLATFORM = frozenset(
    {
        "users",
        "groups",
        "vault_package__v",
        "outbound_package__v",
        "package_component__v",
        "vault_component__v",
    }
)
# Type and name of a component.
Key = tuple[str, str]

COMPONENT_ID_PREFIX = "VCM"
MAX_CUSTOM_OBJECTS = 500
# Of those that keep a component from being dropped, how many a message names.
MAX_NAMED_USERS = 5

_Model = TypeVar("_Model")
_NO_RELATIONSHIPS: Mapping[str, tuple[str, Field]] = {}


# The rows of a call name their type one by one.
@lru_cache(maxsize=1024)
def object_type_id(object_name: str, type_name: str) -> str:
    """Return the id of an object type, which is the same in every Vault: ``OOT`` and 12 hexadecimal digits."""
    return OBJECT_TYPE_ID_PREFIX + _digits(f"{object_name}.{type_name}")


def component_id(type_name: str, name: str) -> str:
    """Return the id of a component, which is the same in every Vault: ``VCM`` and 12 hexadecimal digits."""
    return COMPONENT_ID_PREFIX + _digits(f"{type_name}.{name}")


def _digits(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return digest[:12].upper()


# Without slots: its cached properties are stored in the instance.
@dataclass(frozen=True)
class Registry:
    """The components by type and name, and the model built from them: objects, picklists and so on, by name.

    Immutable; a change makes a new registry. ``object_types`` is keyed by object and type name and includes
    ``base__v`` of every object with types; ``picklists`` includes ``default_status__v``, and ``security_profile__sys``
    with every security profile.
    """

    components: Mapping[tuple[str, str], Component] = field(default_factory=dict)
    objects: Mapping[str, VaultObject] = field(default_factory=dict)
    picklists: Mapping[str, Picklist] = field(default_factory=dict)
    lifecycles: Mapping[str, Lifecycle] = field(default_factory=dict)
    object_types: Mapping[tuple[str, str], ObjectType] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    documents: DocumentModel = field(default_factory=DocumentModel)

    @classmethod
    def build(cls, components: Iterable[Component] = ()) -> Registry:
        """Return the registry of these components, in any order; of several with the same key, the last is used.

        :raises ComponentError: if a component is invalid, or refers to a missing one.
        """
        by_key: dict[Key, Component] = {}
        taken: set[str] = set()
        for component in components:
            former = by_key.get(component.key)
            whole = with_prefix(check(component), former, taken)
            by_key[whole.key] = whole
            taken.add(whole.text("prefix"))
        return _assemble(by_key)

    def with_component(self, component: Component) -> Registry:
        """Return a registry with this component added, or in place of the one with its type and name.

        An Object without a prefix gets one.

        :raises ComponentError: if the component is invalid, or a component then refers to a missing one.
        """
        return self.with_changes({component.key: component})

    def without(self, type_name: str, name: str) -> Registry:
        """Return a registry without this component.

        :raises ComponentError: if it does not exist, or another component refers to it.
        """
        key = (type_name, name)
        if key not in self.components:
            raise ComponentError(f"{type_name} {name} does not exist.", Code.NOT_FOUND)
        users = sorted(self.used_in.get(key, ()))
        if users:
            message = f"{type_name} {name} is in use by {_names(users)}."
            raise ComponentError(message, Code.IN_USE)
        # Uses that are not written as references are found by the checks of what would be left.
        try:
            return self.with_changes({key: None})
        except ComponentError as error:
            message = f"{type_name} {name} is in use. {error.message}"
            raise ComponentError(message, Code.IN_USE) from None

    def with_changes(self, changes: Mapping[Key, Component | None]) -> Registry:
        """Return a registry with several components added, replaced, or, where the value is None, removed at once.

        :raises ComponentError: if a component is invalid, or then refers to a missing one.
        """
        components = dict(self.components)
        # An object that is replaced may keep its prefix.
        taken = {
            other.prefix
            for name, other in self.objects.items()
            if (ComponentKind.OBJECT, name) not in changes
        }
        for key, component in changes.items():
            former = components.pop(key, None)
            if component is not None:
                whole = with_prefix(check(component), former, taken)
                components[component.key] = whole
        return _assemble(components)

    @cached_property
    def used_in(self) -> Mapping[Key, frozenset[Key]]:
        """Return, by the key of each component, the keys of those that refer to it."""
        return users_of(self.components)

    @cached_property
    def record_queries(self) -> dict[tuple[str, ...], CompiledQuery]:
        """Return the queries compiled of this configuration so far, by columns, conditions, object and criteria."""
        return {}

    def inbound(self, object_name: str) -> Mapping[str, tuple[str, Field]]:
        """Return the to-many relationships of an object by name: the child object and its reference field."""
        return self._inbound.get(object_name, _NO_RELATIONSHIPS)

    def object_type_id(
        self,
        object_name: str,
        type_name: str,
    ) -> str:
        """Return the id of an object type, which is its value in ``object_type__v``."""
        return object_type_id(object_name, type_name)

    def object_type(self, type_id: str) -> ObjectType | None:
        """Return the object type with an id, or None."""
        return self._types_by_id.get(type_id)

    def types_of(self, object_name: str) -> Mapping[str, ObjectType]:
        """Return the object types of one object, by name."""
        types = self.object_types.values()
        return {each.name: each for each in types if each.object == object_name}

    def object_action(self, target: VaultObject, name: str) -> ObjectUserAction | None:
        """Return one active user action of an object by its short name, or None."""
        for action in target.actions:
            # An inactive action is as good as none for those who name it.
            if action.name == name and action.active:
                return action
        return None

    def lifecycle_actions(
        self, target: VaultObject, state: str | None
    ) -> Sequence[UserAction]:
        """Return the user actions that an object's lifecycle offers in a state, in order."""
        lifecycle = self.lifecycles.get(target.lifecycle or "")
        if lifecycle is None:
            return ()
        found = lifecycle.states.get(state or "")
        return () if found is None else found.user_actions

    def lifecycle_action(
        self, target: VaultObject, state: str | None, name: str
    ) -> UserAction | None:
        """Return one action of a state by its short name, or None."""
        for action in self.lifecycle_actions(target, state):
            if action.name == name:
                return action
        return None

    @cached_property
    def _inbound(self) -> Mapping[str, Mapping[str, tuple[str, Field]]]:
        return relationships_into(self.objects)

    @cached_property
    def _types_by_id(self) -> Mapping[str, ObjectType]:
        by_id = {}
        for (object_name, type_name), object_type in self.object_types.items():
            by_id[object_type_id(object_name, type_name)] = object_type
        return by_id


def _names(users: Sequence[Key]) -> str:
    """Return the full names of the first of the components, and the number of the others."""
    named = [f"{kind}.{user}" for kind, user in users[:MAX_NAMED_USERS]]
    joined = ", ".join(named)
    others = len(users) - MAX_NAMED_USERS
    return f"{joined} and {others} more" if others > 0 else joined


def _assemble(components: Mapping[Key, Component]) -> Registry:
    """Build every component, add those of the platform, then check all references."""
    objects = _objects(components)
    lifecycles = _built(components, ComponentKind.LIFECYCLE, build_lifecycle)
    registry = Registry(
        components,
        objects,
        _picklists(components),
        associated(lifecycles, components.values()),
        _object_types(components, objects.values()),
        _built(components, ComponentKind.QUEUE, build.build_queue),
        build_documents(components.values()),
    )
    # At the end, for components come in any order and may refer to each other in circles.
    check_references(registry)
    custom = [name for name in objects if name.endswith("__c")]
    if len(custom) > MAX_CUSTOM_OBJECTS:
        message = f"A Vault has at most {MAX_CUSTOM_OBJECTS} custom objects."
        raise ComponentError(message, Code.LIMIT)
    return registry


def _of_kind(
    components: Mapping[Key, Component],
    kind: ComponentKind,
) -> Iterator[Component]:
    for component in components.values():
        if component.type == kind:
            yield component


def _built(
    components: Mapping[Key, Component],
    kind: ComponentKind,
    make: Callable[[Component], _Model],
) -> dict[str, _Model]:
    return {component.name: make(component) for component in _of_kind(components, kind)}


def _objects(components: Mapping[Key, Component]) -> dict[str, VaultObject]:
    """Return the objects with their user actions: declared in the object, as components, or by the platform."""
    objects = _built(components, ComponentKind.OBJECT, build.build_object)
    for component in _of_kind(components, ComponentKind.OBJECT_ACTION):
        object_name = component.name.partition(".")[0]
        owner = objects.get(object_name)
        # One that is missing is an error that ``check_references`` reports.
        if owner is not None:
            actions = [*owner.actions, build.build_action(component)]
            actions.sort(key=lambda action: action.order)
            objects[object_name] = replace(owner, actions=tuple(actions))
    for name, supplied in platform.OBJECT_ACTIONS.items():
        owner = objects.get(name)
        if owner is not None:
            named = {action.name for action in owner.actions}
            missing = [action for action in supplied if action.name not in named]
            objects[name] = replace(owner, actions=(*missing, *owner.actions))
    return objects


def _picklists(components: Mapping[Key, Component]) -> dict[str, Picklist]:
    """Return the picklists; a component may redefine ``default_status__v``, but not the security profiles."""
    picklists = {platform.DEFAULT_STATUS.name: platform.DEFAULT_STATUS}
    picklists |= _built(components, ComponentKind.PICKLIST, build.build_picklist)
    profiles = build.build_profiles(_of_kind(components, PROFILE))
    picklists[profiles.name] = profiles
    return picklists


def _object_types(
    components: Mapping[Key, Component],
    objects: Iterable[VaultObject],
) -> dict[Key, ObjectType]:
    """Return the object types by object and type name, with the base type of each object that allows types."""
    declared = _built(components, ComponentKind.OBJECT_TYPE, build.build_object_type)
    types = {(each.object, each.name): each for each in declared.values()}
    base = platform.BASE_TYPE
    for vault_object in objects:
        key = (vault_object.name, base)
        if vault_object.allow_types:
            label = f"Base {vault_object.label}"
            types.setdefault(key, ObjectType(base, vault_object.name, label))
        else:
            # Vaults export the base type of every object; without types it is kept, and none of the object's.
            types.pop(key, None)
    return types


def is_business(object_name: str) -> bool:
    """Return whether an object has business data: ``person__sys``, and every object that is no platform object."""
    if object_name in _BUSINESS:
        return True
    return not object_name.endswith("__sys") and object_name not in _PLATFORM


def is_tie(object_name: str, field: Field) -> bool:
    """Return whether a field is the Link of business data, by which connections find records and answer them."""
    of_records = is_business(object_name) and object_name != "documents"
    return of_records and field.name == platform.LINK.name


def is_written_by_connections(object_name: str, field: Field) -> bool:
    """Return whether connections may set a field that users may not edit; False for fields that the Vault sets."""
    by_vault = field.system or field.system_managed_name
    # Documents say at each field what may be edited, and to everybody the same.
    of_records = is_business(object_name) and object_name != "documents"
    return of_records and not field.editable and not by_vault
