"""The order of statements: a Vault accepts each of them, from any configuration to any other and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from medcrm.configuration import Configuration, read_component
from medcrm.difference import compare
from medcrm.statement_order import statements
from shared.vault.components.evolution import after
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.registry import Registry


def configuration(texts: Iterable[str]) -> Configuration:
    components = {}
    for text in texts:
        _, kind, name = text.split()[:3]
        components[f"{kind}.{name}"] = read_component(f"{kind}.{name}", text)
    return Configuration(components)


def exported(registry: Registry) -> Configuration:
    return configuration(render(each) for each in registry.components.values())


def vault(texts: Sequence[str]) -> Registry:
    """A Vault with these components, as it would return them."""
    trees = [each.tree for each in configuration(texts).components.values()]
    return Registry.build(tree for tree in trees if tree is not None)


def applied(registry: Registry, wanted: Configuration) -> Registry:
    """The Vault after ``config apply --prune``."""
    present = exported(registry)
    for statement in statements(compare(wanted, present), wanted, present):
        for part in parse(statement.text):
            registry = after(part, registry)
    return registry


NAMES = ("one__c", "two__c", "three__c")
SUBSETS = st.sets(st.sampled_from(NAMES))


@dataclass(frozen=True)
class Drawn:
    """A random configuration in short form: the parts of each component, by those of the others."""

    picklists: Mapping[str, Sequence[str]]
    objects: Mapping[str, Sequence[str]]

    def texts(self, data: st.DataObject, label: str) -> list[str]:
        """MDL of the parts, which refer to each other at random."""
        draw = data.draw
        texts = []
        for name, entries in self.picklists.items():
            listed = [
                f"Picklistentry {entry} ( label('{entry}'), order({number}) )"
                for number, entry in enumerate(entries, 1)
            ]
            body = ", ".join([f"label('{label}')", *listed])
            texts.append(f"RECREATE Picklist p_{name} ( {body} );")
        for name, fields in self.objects.items():
            texts.append(self._object(name, fields, data, label))
        texts.extend(self._rule(name, data, label) for name in draw(SUBSETS))
        for name in draw(SUBSETS):
            granted = [
                f"Objectpermission o_{each} (read(true))"
                for each in self.objects
                if draw(st.booleans())
            ]
            body = ", ".join([f"label('{label}')", *granted])
            texts.append(f"RECREATE Permissionset s_{name} ( {body} );")
        return texts

    def _object(
        self, name: str, fields: Sequence[str], data: st.DataObject, label: str
    ) -> str:
        parts = [f"label('{label}')", f"prefix('Z{name[:2].upper()}')"]
        parts += [f"Field {field} ( type('String'), label('F') )" for field in fields]
        for other in self.picklists:
            if data.draw(st.booleans()):
                kind = f"type('Picklist'), picklist('Picklist.p_{other}')"
                parts.append(f"Field p_{other} ( {kind}, label('P') )")
        for other in self.objects:
            if data.draw(st.booleans()):
                kind = f"type('Object'), object('Object.o_{other}')"
                names = (
                    f"relationship_outbound_name('to_{other[:-1]}cr'), "
                    f"relationship_inbound_name('of_{name[:-3]}_{other[:-1]}cr')"
                )
                parts.append(f"Field o_{other} ( {kind}, label('O'), {names} )")
        return f"RECREATE Object o_{name} ( {', '.join(parts)} );"

    def _rule(self, name: str, data: st.DataObject, label: str) -> str:
        parts = [f"label('{label}')", "connection('c__c')"]
        for object_name, fields in self.objects.items():
            for field in fields:
                if data.draw(st.booleans()):
                    target = (
                        f"target_object('Object.o_{object_name}'), "
                        f"target_object_field('Field.{field}')"
                    )
                    rule = f"r_{object_name[:-3]}_{field}"
                    parts.append(f"Fieldrule {rule} ( {target}, field_default('x') )")
        return f"RECREATE Integrationrule i_{name} ( {', '.join(parts)} );"


PARTS = st.dictionaries(st.sampled_from(NAMES), SUBSETS.map(sorted))
DRAWN = st.builds(Drawn, PARTS, PARTS)


@settings(deadline=None, max_examples=60)
@given(DRAWN, DRAWN, st.data())
def test_a_vault_takes_every_statement_there_and_back(
    before: Drawn, later: Drawn, data: st.DataObject
) -> None:
    registry = vault(before.texts(data, "Before"))
    old = exported(registry)
    new = exported(
        vault(later.texts(data, data.draw(st.sampled_from(["Before", "Later"]))))
    )
    changed = applied(registry, new)
    assert not compare(new, exported(changed))
    back = applied(changed, old)
    assert not compare(old, exported(back))


BEHIND_A_CIRCLE = """
RECREATE Object o_one__c ( label('A'), prefix('ZON'), Field one__c ( type('String'), label('F') ),
  Field two__c ( type('Object'), object('Object.o_two__c'), label('O') ) );
RECREATE Object o_two__c ( label('A'), prefix('ZTW'),
  Field three__c ( type('Object'), object('Object.o_three__c'), label('O') ) );
RECREATE Object o_three__c ( label('A'), prefix('ZTH'),
  Field two__c ( type('Object'), object('Object.o_two__c'), label('O') ) );
RECREATE Integrationrule i_one__c ( label('A'), connection('c__c'), Fieldrule r_one__c (
  target_object('Object.o_one__c'), target_object_field('Field.one__c'), field_default('x') ) );"""
BEFORE_IT = """
RECREATE Object o_one__c ( label('A'), prefix('ZON') );
RECREATE Integrationrule i_one__c ( label('A'), connection('c__c') );"""


def test_what_waits_behind_a_circle_is_not_taken_for_a_part_of_it() -> None:
    few, many = (
        exported(vault([f"{text};" for text in texts.split(";") if text.strip()]))
        for texts in (BEFORE_IT, BEHIND_A_CIRCLE)
    )
    grown = applied(vault([each.text for each in few.components.values()]), many)
    assert not compare(many, exported(grown))
    assert not compare(few, exported(applied(grown, few)))
