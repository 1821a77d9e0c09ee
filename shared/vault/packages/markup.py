"""XML from outside: elements and text only, no document type, no entities, small and shallow."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType
from xml.sax.saxutils import escape

from shared.vault.packages.package_archive import PackageFault

MAX_BYTES = 2**20
MAX_DEPTH = 20
NAMESPACE = "https://veevavault.com/"


def parse(text: bytes, name: str) -> Element:
    """The root element, names without their namespaces; ``name`` is the file's, for messages.

    :raises PackageFault: when it is not XML, or has what a package's XML never has.
    """
    if len(text) > MAX_BYTES:
        raise PackageFault(f"{name} is larger than {MAX_BYTES} bytes")
    parser = ParserCreate(namespace_separator=" ")
    _Reader(parser, builder := TreeBuilder(), name)
    try:
        parser.Parse(text, True)
    except ExpatError as error:
        raise PackageFault(
            f"{name} is not XML: line {error.lineno}, column {error.offset + 1}"
        ) from error
    return builder.close()


def text_of(element: Element | None, path: str) -> str:
    """The text of a descendant, without blanks around it; empty when there is none."""
    return "" if element is None else (element.findtext(path) or "").strip()


def element(tag: str, *content: str, indent: str = "") -> str:
    """An element of XML around elements, or empty."""
    if not content:
        return f"{indent}<{tag}/>\n"
    return f"{indent}<{tag}>\n{''.join(content)}{indent}</{tag.partition(' ')[0]}>\n"


def leaf(tag: str, text: str, indent: str = "") -> str:
    """An element of XML around text."""
    return f"{indent}<{tag}>{escape(text)}</{tag}>\n" if text else f"{indent}<{tag}/>\n"


class _Reader:
    """Feeds what the parser meets to a tree, and ends at the first thing that has no place here."""

    def __init__(self, parser: XMLParserType, builder: TreeBuilder, name: str) -> None:
        self._builder = builder
        self._name = name
        self._depth = 0
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = builder.data
        # A document type comes before any entity or attribute default it could declare.
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PackageFault(f"{self._name} is nested too deeply")
        self._builder.start(
            _local(tag), {_local(name): value for name, value in attributes.items()}
        )

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(_local(tag))

    def _refuse(self, *_: object) -> int:
        raise PackageFault(f"{self._name} declares a document type or an entity")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
