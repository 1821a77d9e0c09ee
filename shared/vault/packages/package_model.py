"""Defines the content of a package: its header and its steps, in the order in which they are deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from shared.vault.components.statement import Statement
from shared.vault.components.uses import Dependency

PACKAGE = "vault_package__v"
OUTBOUND = "outbound_package__v"
MEMBER = "package_component__v"


class PackageStatus(StrEnum):
    """Values of ``package_status__v`` of an imported package."""

    IMPORTED = "imported__v"
    VERIFIED = "verified__v"
    BLOCKED = "blocked__v"
    DEPLOYED = "deployed__v"
    DEPLOYED_WITH_WARNINGS = "deployed_with_warnings__v"
    ERROR = "error__v"


class DataAction(StrEnum):
    """What a data step does with its rows."""

    CREATE = "Create"
    UPDATE = "Update"
    UPSERT = "Upsert"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class DeclaredDependency:
    """A component that a step's component refers to, by a line of the step's ``.dep`` file or by its MDL."""

    dependency: Dependency
    blocking: bool


@dataclass(frozen=True, slots=True)
class ComponentStep:
    """The MDL of one component; ``error`` is why the step can never be deployed, empty when it may be."""

    number: str
    type: str
    name: str
    mdl: str
    checksum: str  # MD5 of the MDL file
    statement: Statement | None = None
    declared: tuple[DeclaredDependency, ...] = ()
    error: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return type and name of the component."""
        return self.type, self.name

    @property
    def label(self) -> str:
        """Return the component's label, or its name if the MDL has none."""
        component = self.statement.component if self.statement else None
        if component:
            return component.text("label", self.name)
        return self.name

    @property
    def identity(self) -> str:
        """Return a text that distinguishes the step from the others of its package."""
        return f"{self.number}/{self.type}.{self.name}"


@dataclass(frozen=True, slots=True)
class DataStep:
    """The rows of one object: field names, number of rows, and ``error`` as in a component step.

    ``cells`` reads the rows again from the package's file, which may have more rows than fit in memory.
    """

    number: str
    name: str
    label: str
    object_name: str
    action: DataAction
    header: tuple[str, ...]
    count: int
    cells: Callable[[], Iterator[Sequence[str]]]
    checksum: str  # MD5 of the CSV file
    id_param: str | None = None
    migration_mode: bool = False
    error: str = ""

    @property
    def identity(self) -> str:
        """Return a text that distinguishes the step from the others of its package."""
        return f"{self.number}/{self.name}"

    def rows(self, start: int = 0) -> Iterator[dict[str, object]]:
        """Yield the rows from ``start`` on, by field name."""
        for cells in islice(self.cells(), start, None):
            yield dict(zip(self.header, cells, strict=True))


Step = ComponentStep | DataStep


@dataclass(frozen=True, slots=True)
class Package:
    """One package; ``code`` are the paths of its Java sources, which this Vault does not run."""

    name: str
    summary: str = ""
    description: str = ""
    author: str = ""
    source_vault: str = ""
    steps: Sequence[Step] = ()
    code: Sequence[str] = ()
