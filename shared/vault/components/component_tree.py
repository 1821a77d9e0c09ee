"""Represents a component as MDL writes it: a tree of named attributes and sub-components, without their meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.model.component_model import Scalar

__all__ = ["Component", "Embedded", "Scalar"]


class Embedded(str):
    """A value of another language, with the brackets around it: ``{XML}``, ``[expression]``, ``<VeevaData>code``.

    The code of action triggers stands in ``<ActionScript>``. Not equal to a string of the same characters, which MDL
    writes in quotes.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Embedded) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Embedded, str(self)))

    @property
    def content(self) -> str:
        """Return the text between the brackets."""
        # Code stands between tags: <VeevaData>…</VeevaData>, <ActionScript>…</ActionScript>.
        if self.startswith("<"):
            return self[self.index(">") + 1 : self.rindex("<")]
        return self[1:-1]


class _Places(NamedTuple):
    """The sub-components of one component: by key, and by owner, whose name is the beginning of theirs."""

    by_key: Mapping[tuple[str, str], Component]
    by_owner: Mapping[str, Sequence[Component]]


@dataclass(frozen=True, slots=True)
class Component:
    """One component or sub-component; an attribute's value is always a tuple, of length 1 unless multi-valued."""

    type: str
    name: str
    attributes: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    children: tuple[Component, ...] = ()
    # Made at the first search: a component is searched as often as it has children.
    _places: _Places | None = field(
        default=None,
        init=False,
        repr=False,
        compare=False,
    )

    @property
    def key(self) -> tuple[str, str]:
        """Return type and name, which identify the component in its Vault, or within its parent."""
        return self.type, self.name

    @property
    def full_name(self) -> str:
        """Return ``Type.name``, as the API and component references write it."""
        return f"{self.type}.{self.name}"

    def first(self, attribute: str) -> Scalar | None:
        """Return the attribute's first value, or None when it is absent or empty."""
        values = self.attributes.get(attribute, ())
        # MDL may write an attribute without a value, which means the same as none.
        if values:
            return values[0]
        return None

    def text(self, attribute: str, default: str = "") -> str:
        """Return the attribute as text; ``default`` when it is absent or empty."""
        value = self.first(attribute)
        if value is None:
            return default
        return str(value)

    def optional_text(self, attribute: str) -> str | None:
        """Return the attribute as text, or None when it is absent, empty or an empty string."""
        return self.text(attribute) or None

    def flag(
        self,
        attribute: str,
        default: bool = False,
    ) -> bool:
        """Return the attribute as a Boolean; ``default`` when it is absent or empty."""
        value = self.first(attribute)
        return default if value is None else bool(value)

    def whole(self, attribute: str) -> int | None:
        """Return the attribute as an integer, or None when it is absent or empty."""
        value = self.first(attribute)
        if value is None:
            return None
        return int(value)

    def number(self, attribute: str) -> float | None:
        """Return the attribute as a number, or None when it is absent or empty."""
        value = self.first(attribute)
        if value is None:
            return None
        return float(value)

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Return all values of a multi-value attribute as text."""
        values = self.attributes.get(attribute, ())
        return tuple(map(str, values))

    def reference(self, attribute: str) -> str | None:
        """Return the name in a component reference: ``x__v`` of ``Picklist.x__v``; None when it is absent."""
        value = self.optional_text(attribute)
        if value is None:
            return None
        return _referenced_name(value)

    def references(self, attribute: str) -> tuple[str, ...]:
        """Return the names in all component references of a multi-value attribute."""
        values = self.texts(attribute)
        return tuple(map(_referenced_name, values))

    def children_of(self, type_name: str) -> Iterator[Component]:
        """Return the sub-components of one type, in the order they were written."""
        return (child for child in self.children if child.type == type_name)

    def child(
        self,
        type_name: str,
        name: str,
    ) -> Component | None:
        """Return one sub-component, or None."""
        return self._found().by_key.get((type_name, name))

    def children_under(self, owner: str) -> Sequence[Component]:
        """Return the sub-components whose names begin with the name of another sub-component: ``{owner}.{name}``."""
        return self._found().by_owner.get(owner, ())

    def _found(self) -> _Places:
        if self._places is not None:
            return self._places
        by_key: dict[tuple[str, str], Component] = {}
        by_owner: dict[str, list[Component]] = {}
        for child in self.children:
            by_key.setdefault(child.key, child)
            owner, dot, _ = child.name.partition(".")
            if dot:
                by_owner.setdefault(owner, []).append(child)
        places = _Places(by_key, by_owner)
        object.__setattr__(self, "_places", places)
        return places

    def to_json(self) -> dict[str, object]:
        """Return ``{type, name, attributes: {name: [values]}, children: […]}``, ready for JSON."""
        attributes = {
            name: [_json(value) for value in values]
            for name, values in self.attributes.items()
        }
        children = [child.to_json() for child in self.children]
        return {
            "type": self.type,
            "name": self.name,
            "attributes": attributes,
            "children": children,
        }

    @classmethod
    def from_json(cls, document: object) -> Component:
        """Return the component that :meth:`to_json` wrote.

        :raises ComponentError: SYNTAX if the document has another shape.
        """
        if not isinstance(document, Mapping):
            message = "A stored component is not a JSON object."
            raise ComponentError(message, Code.SYNTAX)
        type_name = document.get("type")
        name = document.get("name")
        attributes = document.get("attributes", {})
        children = document.get("children", [])
        named = isinstance(type_name, str) and isinstance(name, str)
        shaped = isinstance(attributes, Mapping) and isinstance(children, list)
        if not (named and shaped):
            message = "A stored component lacks type, name, attributes or children."
            raise ComponentError(message, Code.SYNTAX)
        read = {
            attribute: _values(attribute, values)
            for attribute, values in attributes.items()
        }
        nested = [cls.from_json(child) for child in children]
        return cls(
            str(type_name),
            str(name),
            read,
            tuple(nested),
        )


def _referenced_name(reference: str) -> str:
    # Some attributes take a name without its type.
    _, _, name = reference.partition(".")
    return name or reference


def _json(value: Scalar) -> object:
    # Marked, for it is not equal to a string of the same characters.
    return {"embedded": str(value)} if isinstance(value, Embedded) else value


def _values(
    attribute: str,
    values: object,
) -> tuple[Scalar, ...]:
    if not isinstance(values, list):
        message = f"The stored attribute {attribute} is not a list of values."
        raise ComponentError(message, Code.SYNTAX)
    return tuple(_value(attribute, value) for value in values)


def _value(attribute: str, value: object) -> Scalar:
    if isinstance(value, Mapping):
        text = value.get("embedded")
        if isinstance(text, str):
            return Embedded(text)
    if isinstance(value, str | bool | int | float):
        return value
    message = f"The stored attribute {attribute} has an entry that is not a value."
    raise ComponentError(message, Code.SYNTAX)
