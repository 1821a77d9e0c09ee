"""Writes components of a Vault as a package file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.protocol.csv_cells import exact_csv_text
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl_writing import render
from shared.vault.components.ordering import in_order
from shared.vault.components.registry import Registry
from shared.vault.components.uses import Dependency, dependencies_of
from shared.vault.packages.package_archive import NAMESPACE, element, leaf, pack
from shared.vault.packages.package_reading import (
    BLOCK,
    COMPONENTS,
    DEPENDENCY_HEADER,
    MANIFEST,
    md5_of,
)

STEP = 10
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Header:
    """The description of a package in its manifest."""

    name: str
    summary: str
    description: str
    author: str
    source_vault: str


def write_package(
    header: Header,
    components: Sequence[Component],
    registry: Registry,
) -> bytes:
    """Return the file of a package with these components, each after those that it refers to."""
    files = {MANIFEST: _manifest(header).encode()}
    inside = {component.key for component in components}
    # A component that comes twice to break a circle comes once in a package: its deployment breaks the circle.
    ordered = {component.key: component for component in in_order(components)}
    for number, key in enumerate(ordered, 1):
        component = registry.components[key]
        stem = f"{COMPONENTS}/{number * STEP:05d}/{component.full_name}"
        mdl = render(component).encode()
        files[f"{stem}.mdl"] = mdl
        files[f"{stem}.md5"] = f"{md5_of(mdl)} {component.full_name}".encode()
        files[f"{stem}.dep"] = _dependencies(component, inside, registry).encode()
    return pack(files)


def missing_from(
    components: Sequence[Component], registry: Registry
) -> list[tuple[Component, Component]]:
    """Return the components that ``components`` refer to but do not include, each with one that refers to it."""
    inside = {component.key for component in components}
    missing: dict[tuple[str, str], tuple[Component, Component]] = {}
    for component in components:
        for dependency in dependencies_of(component):
            # What the Vault lacks cannot be added to its package.
            found = registry.components.get(dependency.key)
            if found is not None and dependency.key not in inside:
                missing.setdefault(dependency.key, (found, component))
    return [missing[key] for key in sorted(missing)]


def _manifest(header: Header) -> str:
    inner = INDENT * 2
    source = element(
        "source",
        leaf("vault", header.source_vault, inner),
        leaf("author", header.author, inner),
        indent=INDENT,
    )
    sdk = element(
        "javasdk", leaf("deployment_option", "incremental", inner), indent=INDENT
    )
    content = (
        leaf("name", header.name, INDENT),
        source,
        leaf("summary", header.summary, INDENT),
        leaf("description", header.description, INDENT),
        sdk,
    )
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return declaration + element(f'vaultpackage xmlns="{NAMESPACE}"', *content)


def _dependencies(
    component: Component,
    inside: Collection[tuple[str, str]],
    registry: Registry,
) -> str:
    lines: list[Sequence[object]] = [DEPENDENCY_HEADER]
    for dependency in dependencies_of(component):
        target = registry.components.get(dependency.key)
        included = dependency.key in inside
        line = _line(
            component,
            dependency,
            target,
            included,
        )
        lines.append(line)
    return exact_csv_text(lines)


def _line(
    source: Component,
    dependency: Dependency,
    target: Component | None,
    inside: bool,
) -> tuple[str, ...]:
    return (
        str(inside).lower(),
        BLOCK,
        source.text("label", source.name),
        source.name,
        source.type,
        # What the Vault itself lacks has no label here.
        target.text("label", target.name) if target else dependency.name,
        dependency.name,
        dependency.type,
        dependency.subname,
        dependency.subtype,
    )
