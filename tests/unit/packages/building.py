"""Package files as other Vaults and tools would make them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<vaultpackage xmlns="https://veevavault.com/">
    <name>{name}</name>
    <source><vault>51577</vault><author>jennie@pharma.example</author></source>
    <summary>A test's package</summary>
    <description>Shapes &amp; colours</description>
    <javasdk><deployment_option>incremental</deployment_option></javasdk>
</vaultpackage>
"""
STEP_HEADER = """<stepheader><label>{label}</label><steprequired>false</steprequired><checksum>{checksum}</checksum>
<datastepheader><object>{object}</object><idparam>{id_param}</idparam><datatype>Object</datatype><action>{action}</action>
<recordmigrationmode>{migration}</recordmigrationmode><recordcount>{count}</recordcount></datastepheader></stepheader>
"""


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """A zip file of these entries."""
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sheet.getvalue()


def md5(content: str) -> str:
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


def component_files(
    number: int, full_name: str, mdl: str, dep: str | None = None
) -> dict[str, bytes | str]:
    """The files of a component step."""
    stem = f"components/{number:05d}/{full_name}"
    files: dict[str, bytes | str] = {
        f"{stem}.mdl": mdl,
        f"{stem}.md5": f"{md5(mdl)} {full_name}",
    }
    return files if dep is None else files | {f"{stem}.dep": dep}


def data_files(
    number: int,
    object_name: str,
    action: str,
    rows: str,
    id_param: str = "",
    *,
    migration: bool = False,
) -> dict[str, bytes | str]:
    """The files of a data step; the first line of ``rows`` names the fields."""
    stem = f"components/{number:05d}/DSET-{number:05d}-{object_name}"
    header = STEP_HEADER.format(
        label=f"DSET-{number:05d}-{object_name}",
        checksum=md5(rows),
        object=object_name,
        id_param=id_param,
        action=action,
        migration=str(migration).lower(),
        count=len(rows.splitlines()) - 1,
    )
    return {f"{stem}.CSV": rows, f"{stem}.xml": header}


def vpk(*parts: Mapping[str, bytes | str], name: str = "PKG-0004") -> bytes:
    """A package file of these steps."""
    files: dict[str, bytes | str] = {"vaultpackage.xml": MANIFEST.format(name=name)}
    for part in parts:
        files |= part
    return zipped(files)
