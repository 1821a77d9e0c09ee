"""Reads XML from outside into a tree, and refuses constructs that no file of a Vault contains."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder  # holds what _Reader has read  # nosec B405
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType

__all__ = ["XmlFault", "parse_xml"]

MAX_BYTES = 2**20
MAX_DEPTH = 20


class XmlFault(Exception):
    """Raised for text that is not XML, or contains a construct that no file of a Vault has; ``message`` names it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse_xml(text: bytes) -> Element:
    """Return the root element; names of elements and attributes have no namespaces.

    :raises XmlFault: when the text is not XML, is too large or too deep, or declares a document type.
    """
    if len(text) > MAX_BYTES:
        raise XmlFault(f"is larger than {MAX_BYTES} bytes")
    parser = ParserCreate(namespace_separator=" ")
    builder = TreeBuilder()
    _Reader(parser, builder)
    try:
        parser.Parse(text, True)
    except ExpatError as error:
        place = f"line {error.lineno}, column {error.offset + 1}"
        raise XmlFault(f"is not XML: {place}") from error
    return builder.close()


class _Reader:
    """Passes the parser's events to a tree, and stops at the first construct that is not allowed."""

    def __init__(self, parser: XMLParserType, builder: TreeBuilder) -> None:
        self._builder = builder
        self._depth = 0
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = builder.data
        # A document type comes before any entity or attribute default it could declare.
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def _start(
        self,
        tag: str,
        attributes: dict[str, str],
    ) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise XmlFault("is nested too deeply")
        local = {_local(name): value for name, value in attributes.items()}
        self._builder.start(_local(tag), local)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(_local(tag))

    def _refuse(self, *_: object) -> int:
        raise XmlFault("declares a document type or an entity")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
