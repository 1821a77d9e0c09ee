"""A package file read: header, steps in order, and what is wrong with each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from shared.vault.packages.markup import parse, text_of
from shared.vault.packages.package_archive import PackageFault, unpack
from shared.vault.packages.package_model import Package, Step
from shared.vault.packages.steps import component_step, data_step

MANIFEST = "vaultpackage.xml"
COMPONENTS = "components"
CODE = "javasdk"
MAX_STEPS = 2_000
MAX_TEXT = 500
DEFAULT_NAME = "Package"

_NUMBER = re.compile(r"\d{1,10}")
Folder = Mapping[str, bytes]


def read_package(data: bytes) -> Package:
    """The package in a file. What is wrong with one step is that step's ``error``.

    :raises PackageFault: when the file is no package.
    """
    files = _rooted(unpack(data, listed_only=CODE))
    root = parse(files[MANIFEST], MANIFEST)
    if root.tag != "vaultpackage":
        raise PackageFault(f"{MANIFEST} is not the description of a package")
    return Package(
        name=text_of(root, "name")[:MAX_TEXT] or DEFAULT_NAME,
        summary=text_of(root, "summary")[:MAX_TEXT],
        description=text_of(root, "description")[:MAX_TEXT],
        author=text_of(root, "source/author")[:MAX_TEXT],
        source_vault=text_of(root, "source/vault")[:MAX_TEXT],
        steps=_steps(files),
        code=tuple(sorted(name for name in files if name.startswith(f"{CODE}/"))),
    )


def _rooted(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files by their paths from the folder of the manifest, which some tools wrap in one of its own."""
    if MANIFEST in files:
        return files
    roots = [
        name.removesuffix(MANIFEST) for name in files if name.endswith(f"/{MANIFEST}")
    ]
    if len(roots) != 1:
        raise PackageFault(f"The archive has no {MANIFEST}")
    return {
        name.removeprefix(roots[0]): data
        for name, data in files.items()
        if name.startswith(roots[0])
    }


def _steps(files: Mapping[str, bytes]) -> tuple[Step, ...]:
    """The steps of the numbered folders, by number, within one by name."""
    folders: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path, content in files.items():
        top, _, rest = path.partition("/")
        number, _, name = rest.partition("/")
        if top != COMPONENTS:
            continue
        if not _NUMBER.fullmatch(number) or "/" in name or not name:
            raise PackageFault(
                f"{COMPONENTS} has something other than numbered folders of files"
            )
        folders[number][name] = content
    steps = [
        step
        for number in sorted(folders, key=int)
        for step in _folder_steps(number, folders[number])
    ]
    if len(steps) > MAX_STEPS:
        raise PackageFault(f"The package has more than {MAX_STEPS} steps")
    return tuple(steps)


def _folder_steps(number: str, folder: Folder) -> list[Step]:
    """The steps of one folder: files of one stem belong together."""
    stems: dict[str, dict[str, bytes]] = defaultdict(dict)
    for name, content in folder.items():
        stem, _, ending = name.rpartition(".")
        if stems[stem].setdefault(ending.lower(), content) is not content:
            raise PackageFault(f"{COMPONENTS}/{number} has two files of the same name")
    return [_step(number, stem, stems[stem]) for stem in sorted(stems)]


def _step(number: str, stem: str, files: Folder) -> Step:
    if "mdl" in files or "json" in files:
        return component_step(number, stem, files)
    if "csv" in files and "xml" in files:
        header: Element = parse(files["xml"], f"{stem}.xml")
        return data_step(number, stem, header, files["csv"])
    raise PackageFault(
        f"{COMPONENTS}/{number} has neither MDL nor data with its description"
    )
