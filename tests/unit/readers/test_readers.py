"""Readers of users' text take work in proportion to it, and refuse text that is nested too deeply or endless."""

from __future__ import annotations

import pytest

from services.connector.rules.conversion import Unfit
from services.connector.rules.object_metadata import FieldType as RuleFieldType
from shared.protocol.whole_numbers import whole_number
from shared.vault.documents.texts import plain_text
from shared.vault.errors import VaultFault
from shared.vault.security.group_service import MemberChange, read_members
from tests.unit.readers.growth import Run, require_linear
from tests.unit.readers.readers import READERS, REFUSALS, refusing, rule_value

SMALLEST = 2_000
CASES = [(reader, text) for reader, each in READERS.items() for text in each.texts]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_twice_the_text_takes_about_twice_the_work(name: str, text: str) -> None:
    reader = READERS[name]
    read = refusing(reader.read)
    hostile = reader.texts[text]

    def prepare(length: int) -> Run:
        made = hostile.text(length - len(hostile.end))
        return lambda: read(made)

    require_linear(prepare, SMALLEST, reader.longest)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VQL", "SELECT id FROM account__v WHERE " + "(" * 16_000),
        ("VQL", "SELECT id FROM account__v FIND (" + "NOT " * 10_000 + "'a')"),
        ("VQL", "SELECT " + "(SELECT " * 6_000),
        (
            "MDL",
            "RECREATE Pagelayout a__c (" + "Section a (" * 9_000 + ")" * 9_001 + ";",
        ),
        ("MDL", "ALTER Object a__c (" + "MODIFY Field a (" * 9_000 + ")" * 9_001 + ";"),
        ("JSON", "[" * 100_000),
        ("JSON", '{"a":' * 100_000 + "1" + "}" * 100_000),
        ("JSON rows", '[{"a":' + "[" * 900 + "]" * 900 + "}]"),
        ("messages", "[" * 100_000),
    ],
    ids=lambda text: text[:40],
)
def test_deeply_nested_text_is_refused_in_words(name: str, text: str) -> None:
    with pytest.raises(REFUSALS) as caught:
        READERS[name].read(text)
    assert 0 < len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "digits",
    ["1" * 5_000, "9" * 19, "²", "\N{ARABIC-INDIC DIGIT ONE}", "", "-1", "1_0"],
)
def test_what_no_id_can_be_is_not_a_number(digits: str) -> None:
    assert whole_number(digits) is None


def test_leading_zeros_do_not_count() -> None:
    assert whole_number("0" * 5_000 + "7") == 7
    assert whole_number(str(2**63 - 1)) == 2**63 - 1


@pytest.mark.parametrize(
    "text", ["1" * 5_000, "add (" + "1" * 5_000 + ")", "1\t2", "²"]
)
def test_members_that_are_no_ids_are_refused(text: str) -> None:
    with pytest.raises(VaultFault):
        read_members(text)


def test_members_are_read_with_blanks_around_them() -> None:
    assert read_members(" Add ( 1 , 2,) ") == (MemberChange.ADD, [1, 2])


@pytest.mark.parametrize("text", ["1e99", "1" * 60 + ".0", "-1e99"])
def test_a_large_number_of_a_rule_is_read_as_a_whole_one(text: str) -> None:
    assert isinstance(rule_value(RuleFieldType.NUMBER)(text), int)


@pytest.mark.parametrize("text", ["1e-99", "1" * 60 + ".5"])
def test_a_fraction_for_a_whole_number_of_a_rule_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        rule_value(RuleFieldType.NUMBER)(text)


def test_an_endless_character_reference_is_no_text() -> None:
    data = b"<p>a &#" + b"1" * 5_000 + b"; b</p>"
    assert plain_text(data, "text/html") == "a b"
