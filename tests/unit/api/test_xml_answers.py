"""Answers in XML: the JSON envelope, element by element, for clients whose Accept header has XML first."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orjson import dumps

from shared.vault.api.request_context import wants_xml
from shared.vault.api.xml_answers import xml_of


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        ("application/xml", True),
        ("APPLICATION/XML; q=0.9", True),
        ("application/xml, application/json", True),
        ("application/json, application/xml", False),
        ("text/csv", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_what_is_wanted(accept: str, xml: bool) -> None:
    assert wants_xml(accept) is xml


@pytest.mark.parametrize(
    ("members", "xml"),
    [
        ({"responseStatus": "SUCCESS"}, "<responseStatus>SUCCESS</responseStatus>"),
        (
            {"errors": [{"type": "INVALID_DATA", "message": "a < b"}]},
            "<errors><error><type>INVALID_DATA</type><message>a &lt; b</message></error></errors>",
        ),
        (
            {"vaultIds": [{"id": 1, "name": "V"}]},
            "<vaultIds><vault><id>1</id><name>V</name></vault></vaultIds>",
        ),
        (
            {"data": [{"id": "V1", "status__v": ["active__v"], "x__cr.name__v": None}]},
            "<data><row><id>V1</id><status__v><value>active__v</value></status__v><x__cr.name__v /></row></data>",
        ),
        (
            {"users": [{"user": {"id": 2, "active__v": True}}]},
            "<users><user><id>2</id><active__v>true</active__v></user></users>",
        ),
        ({"values": {"v25.1": "u"}}, "<values><v25.1>u</v25.1></values>"),
        ({"10k count": 1.5, "": "é"}, "<_10k_count>1.5</_10k_count><_>é</_>"),
    ],
)
def test_an_envelope_is_written_element_by_element(
    members: dict[str, object], xml: str
) -> None:
    text = xml_of(dumps(members)).decode()
    _, _, body = text.partition("?>")
    assert body.strip() == f"<ApiRestResult>{xml}</ApiRestResult>"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSON))
def test_whatever_an_answer_has_is_xml(members: dict[str, object]) -> None:
    element = fromstring(xml_of(dumps(members)))  # noqa: S314  our own text
    assert len(element) == len(members)
