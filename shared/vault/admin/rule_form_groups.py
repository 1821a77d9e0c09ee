"""Groups the inputs of a Field Rule: the source of a value, its target, and its conversion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.admin.inputs import Input


@dataclass(frozen=True, slots=True)
class InputGroup:
    """Inputs under one heading; a ``rare`` group is folded away, because most rules do not need it."""

    title: str
    hint: str
    inputs: Sequence[Input]
    rare: bool = False

    @property
    def used(self) -> bool:
        """Return whether one of the inputs has an error, or a value other than the default."""
        return any(each.error or each.value not in UNUSED for each in self.inputs)


UNUSED = ("", "false")

# Titles and hints, with the attributes under them.
FIELD_RULE = (
    (
        "Source",
        "The field of the sending Vault; none for a rule that only sets its default.",
        ("query_object", "query_field"),
    ),
    (
        "Target",
        "The field of this Vault; for a reference also the object it refers to, and the field that finds its record.",
        (
            "target_object",
            "target_object_field",
            "target_obj_field_ref_obj",
            "target_field_lookup",
        ),
    ),
    (
        "Value",
        "A lookup says what another value becomes here; the default stands where there is none.",
        (
            "reference_lookup_type",
            "reference_lookup",
            "missing_lookup",
            "field_default",
            "empty_source",
        ),
    ),
    ("The rule itself", "", ("label", "active")),
)
RARE = "Rarely needed"


def groups_of(kind: str, inputs: Sequence[Input]) -> list[InputGroup]:
    """Return the inputs of a Field Rule in groups; those of any other kind of component in one group."""
    if kind != "Fieldrule":
        return [InputGroup("", "", inputs)]
    by_name: Mapping[str, Input] = {each.name: each for each in inputs}
    groups = [
        InputGroup(title, hint, [by_name[name] for name in names if name in by_name])
        for title, hint, names in FIELD_RULE
    ]
    grouped = {each.name for group in groups for each in group.inputs}
    left = [each for each in inputs if each.name not in grouped]
    return [*groups, InputGroup(RARE, "", left, rare=True)]
