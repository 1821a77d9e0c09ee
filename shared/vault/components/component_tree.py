"""Holds a component as MDL writes it: a tree of named attributes and sub-components, independent of its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.model.component_model import Scalar

__all__ = ["Component", "Embedded", "Scalar"]


class Embedded(str):
    """A value of another language, with the brackets around it: ``{XML}``, ``[expression]``, ``<VeevaData>code``.

    Not equal to a string of the same characters, which MDL writes in quotes.
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
        return self[11:-12] if self.startswith("<") else self[1:-1]


@dataclass(frozen=True, slots=True)
class Component:
    """One component or sub-component; an attribute's value is always a tuple, of length 1 unless multi-valued."""

    type: str
    name: str
    attributes: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    children: tuple[Component, ...] = ()

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
        return values[0] if values else None

    def text(self, attribute: str, default: str = "") -> str:
        """Return the attribute as text; ``default`` when it is absent or empty."""
        value = self.first(attribute)
        return default if value is None else str(value)

    def optional_text(self, attribute: str) -> str | None:
        """Return the attribute as text, or None when it is absent, empty or an empty string."""
        return self.text(attribute) or None

    def flag(self, attribute: str, default: bool = False) -> bool:
        """Return the attribute as a Boolean; ``default`` when it is absent or empty."""
        value = self.first(attribute)
        return default if value is None else bool(value)

    def whole(self, attribute: str) -> int | None:
        """Return the attribute as an integer, or None when it is absent or empty."""
        value = self.first(attribute)
        return None if value is None else int(value)

    def number(self, attribute: str) -> float | None:
        """Return the attribute as a number, or None when it is absent or empty."""
        value = self.first(attribute)
        return None if value is None else float(value)

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Return all values of a multi-value attribute as text."""
        return tuple(str(value) for value in self.attributes.get(attribute, ()))

    def reference(self, attribute: str) -> str | None:
        """Return the name in a component reference: ``x__v`` of ``Picklist.x__v``; None when it is absent."""
        value = self.optional_text(attribute)
        return value.partition(".")[2] or value if value else None

    def references(self, attribute: str) -> tuple[str, ...]:
        """Return the names in all component references of a multi-value attribute."""
        return tuple(
            value.partition(".")[2] or value for value in self.texts(attribute)
        )

    def children_of(self, type_name: str) -> Iterator[Component]:
        """Return the sub-components of one type, in the order they were written."""
        return (child for child in self.children if child.type == type_name)

    def child(self, type_name: str, name: str) -> Component | None:
        """Return one sub-component, or None."""
        return next(
            (child for child in self.children_of(type_name) if child.name == name), None
        )

    def to_json(self) -> dict[str, object]:
        """Return ``{type, name, attributes: {name: [values]}, children: […]}``, ready for JSON."""
        return {
            "type": self.type,
            "name": self.name,
            "attributes": {
                name: [_json(value) for value in values]
                for name, values in self.attributes.items()
            },
            "children": [child.to_json() for child in self.children],
        }

    @classmethod
    def from_json(cls, document: object) -> Component:
        """Return the component that :meth:`to_json` wrote.

        :raises ComponentError: if the document has another shape.
        """
        if not isinstance(document, Mapping):
            raise ComponentError(
                "A stored component is not a JSON object.", Code.SYNTAX
            )
        type_name, name = document.get("type"), document.get("name")
        attributes, children = (
            document.get("attributes", {}),
            document.get("children", []),
        )
        shaped = isinstance(attributes, Mapping) and isinstance(children, list)
        if not (shaped and isinstance(type_name, str) and isinstance(name, str)):
            raise ComponentError(
                "A stored component lacks type, name, attributes or children.",
                Code.SYNTAX,
            )
        return cls(
            type_name,
            name,
            {
                attribute: _values(attribute, values)
                for attribute, values in attributes.items()
            },
            tuple(cls.from_json(child) for child in children),
        )


def _json(value: Scalar) -> object:
    return {"embedded": str(value)} if isinstance(value, Embedded) else value


def _values(attribute: str, values: object) -> tuple[Scalar, ...]:
    if not isinstance(values, list):
        raise ComponentError(
            f"The stored attribute {attribute} is not a list of values.", Code.SYNTAX
        )
    return tuple(_value(attribute, value) for value in values)


def _value(attribute: str, value: object) -> Scalar:
    if isinstance(value, Mapping) and isinstance(value.get("embedded"), str):
        return Embedded(value["embedded"])
    if isinstance(value, str | bool | int | float):
        return value
    raise ComponentError(
        f"The stored attribute {attribute} has something that is no value.", Code.SYNTAX
    )
