"""Components written as a package, and read again."""

from __future__ import annotations

from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.packages.package_reading import read_package
from shared.vault.packages.package_validation import validate
from shared.vault.packages.package_writing import Header, missing_from, write_package

MDL = """
RECREATE Object thing__c ( label('Thing'), prefix('ZTH'),
  Field colour__c ( type('Picklist'), label('Colour'), picklist('Picklist.colour__c') ) );
RECREATE Picklist colour__c ( label('Colour \\'n shade'), Picklistentry red__c ( label('Red') ) );
"""
HEADER = Header("PKG-0001", "Things <&> colours", "", "admin@vault.example", "10101")


def test_what_is_written_is_read_as_the_same_components() -> None:
    components = [s.component for s in parse(MDL) if s.component]
    registry = Registry.build(components)
    content = write_package(HEADER, components, registry)
    assert content == write_package(HEADER, components, registry)
    package = read_package(content)
    assert (package.name, package.summary, package.author, package.source_vault) == (
        "PKG-0001",
        "Things <&> colours",
        "admin@vault.example",
        "10101",
    )
    assert [(s.number, s.error) for s in package.steps] == [
        ("00010", ""),
        ("00020", ""),
    ]
    assert validate(package, Registry.build()).blocked == 0


def test_what_is_missing_from_a_package() -> None:
    colour, thing = sorted(
        (s.component for s in parse(MDL) if s.component), key=lambda c: c.name
    )
    registry = Registry.build([colour, thing])
    assert missing_from([thing], registry) == [(colour, thing)]
    assert missing_from([thing, colour], registry) == []
