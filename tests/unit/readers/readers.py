"""Lists the readers of users' text, each with texts that begin well and never end, repeat, or nearly match."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple, cast

import orjson

from services.connector.rules.conversion import Unfit, converter
from services.connector.rules.object_metadata import FieldMetadata
from services.connector.rules.object_metadata import FieldType as RuleFieldType
from services.connector.rules.query_plan import prefixed
from shared.protocol import json_values
from shared.protocol.redaction import _SHOWN_VALUE
from shared.protocol.whole_numbers import whole_number
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope
from shared.vault import vql
from shared.vault.api.body import parse_form
from shared.vault.api.csv_rows import parse_csv
from shared.vault.api.json_rows import parse_json_rows
from shared.vault.api.request_context import parse_moment, wants_csv
from shared.vault.components import mdl
from shared.vault.components.change import altered, apply
from shared.vault.components.component_errors import ComponentError, MdlSyntaxError
from shared.vault.components.component_tree import Component
from shared.vault.components.configured_queries import rendered, token_paths
from shared.vault.components.naming import name_of_label
from shared.vault.components.registry import Registry
from shared.vault.documents.texts import plain_text
from shared.vault.errors import VaultFault
from shared.vault.files.paths import split
from shared.vault.loader.sheet import SheetReader
from shared.vault.model.component_model import Field, FieldType
from shared.vault.records.field_values import coercion
from shared.vault.records.invalid_values import InvalidValue
from shared.vault.security.group_service import read_members
from shared.vault.vql.vql_tokens import MAX_TEXT, like_segments, string_value
from tests.unit.readers.hostile_texts import Hostile
from tests.unit.vql.sample import REGISTRY, TARGETS, readable

Read = Callable[[str], object]
LONGEST = 64_000
# What a reader raises of text that it refuses; anything else is a fault of the reader.
REFUSALS = (
    vql.VqlError,
    VaultFault,
    MdlSyntaxError,
    ComponentError,
    InvalidValue,
    Unfit,
    MalformedMessage,
    orjson.JSONDecodeError,
)


class Reader(NamedTuple):
    """A reader, the longest text that it accepts, and hostile texts for it."""

    read: Read
    texts: Mapping[str, Hostile]
    longest: int = LONGEST


def refusing(read: Read) -> Read:
    """Return the reader with its own errors suppressed."""

    def reader(text: str) -> object:
        with suppress(*REFUSALS):
            return read(text)
        return None

    return reader


def literal(read: Read) -> Read:
    """Return the reader of a literal with the error of a malformed one suppressed."""

    def reader(token: str) -> object:
        with suppress(ValueError):
            return read(token)
        return None

    return reader


def compiled(text: str) -> object:
    return vql.compile_query(vql.parse(text), REGISTRY, readable, targets=TARGETS)


def executed(text: str) -> object:
    return [apply(statement, None) for statement in mdl.parse(text)]


def changed(text: str) -> object:
    (statement,) = mdl.parse(text)
    return altered(Component("Picklist", "a__c"), statement.changes)


def sheet(text: str, chunk: int) -> object:
    """Read a sheet that arrives in chunks of a few bytes."""
    data = text.encode()

    async def chunks() -> AsyncIterator[bytes]:
        for begin in range(0, len(data), chunk):
            yield data[begin : begin + chunk]

    async def read() -> int:
        reader = SheetReader(chunks(), 500)
        await reader.read_header()
        return sum([len(batch.rows) async for batch in reader.batches()])

    return asyncio.run(read())


def texts(*hostile: tuple[str, str, str]) -> dict[str, Hostile]:
    """Return hostile texts by their beginning and their repeated part."""
    return {repr(each[0][-20:] + each[1])[:40]: Hostile(*each) for each in hostile}


WHERE = "SELECT id FROM account__v WHERE name__v = "
CREATE = "RECREATE Picklist a__c (label("
# Numbers and dates look nothing up in it.
NO_REGISTRY = cast("Registry", None)
NUMBER = Field(name="a__c", label="A", type=FieldType.NUMBER, scale=2)
DATE = Field(name="a__c", label="A", type=FieldType.DATE)
DATE_TIME = Field(name="a__c", label="A", type=FieldType.DATE_TIME)
DIGITS = (
    ("", "1", "a"),
    ("", "1", ""),
    ("-", "1", "."),
    ("", "1.", ""),
    ("1e", "9", ""),
)
DAYS = (("2026-01-01T00:00:00.", "1", "x"), ("2026-01-01", "-01", ""), ("", "2", ""))
QUOTED = (("'", "\\'", ""), ("'", "''", ""), ("'", "a\\", ""), ("", "'a", ""))


def rule_value(type: RuleFieldType) -> Read:
    return converter(FieldMetadata(name="a__c", type=type))


READERS: Mapping[str, Reader] = {
    "VQL": Reader(
        compiled,
        texts(
            (WHERE + "'", "\\'", ""),
            (WHERE, "1", "a"),
            (WHERE, "1.", ""),
            (WHERE, "('a',", ""),
            (WHERE, "(", ""),
            (WHERE, "${a.", ""),
            ("SELECT ", "(SELECT ", ""),
            ("SELECT id", ", name__v", " FROM account__v"),
            (WHERE + "'x'", " OR name__v = 'x'", ""),
            ("SELECT id FROM account__v FIND (", "NOT ", ""),
            ("SELECT id FROM account__v FIND ('", '"', ""),
            ("SELECT id FROM account__v WHERE id CONTAINS ('a'", ",'\\''", ""),
        ),
        MAX_TEXT,
    ),
    "VQL string": Reader(literal(string_value), texts(*QUOTED)),
    "LIKE": Reader(
        literal(like_segments), texts(("'", "\\%", "'"), ("'", "%a", "'"), *QUOTED)
    ),
    "MDL": Reader(
        executed,
        texts(
            (CREATE + "'", "\\'", ""),
            (CREATE + "'", "''", "x"),
            (CREATE, "'a',", ""),
            (CREATE, "{", ""),
            (CREATE + "{", "{}", ""),
            (CREATE + "[", "['x']", "'"),
            ("/*", "*", ""),
            ("", "/*", ""),
            ("DROP Object", " IF", ""),
            ("DROP Object a__c", ";", ""),
            ("RECREATE Object a__c (", "Field a__c (", ""),
            ("RECREATE Pagelayout a__c (", "Section a (", ")"),
            ("ALTER Object a__c (", "MODIFY Field a__c (", ""),
            ("DROP Object a", ".a", ""),
            ("RECREATE Permissionset a__c (permissions(", "'a',", "));"),
            ("RECREATE Permissionset a__c (permissions(", "1,", "));"),
            ("RECREATE Permissionset a__c (", "a(),", ");"),
        ),
    ),
    "MDL changes": Reader(
        changed,
        texts(
            ("ALTER Picklist a__c (", "ADD Picklistentry IF NOT EXISTS a__c (),", ");"),
            ("ALTER Picklist a__c (", "label('x'),", ");"),
            ("ALTER Picklist a__c (label ADD ('x'", ",'x'", "));"),
        ),
    ),
    "JSON": Reader(
        lambda text: json_values.loads(text.encode()),
        texts(
            ("", "[", ""),
            ("", '{"a":', ""),
            ('"', "\\", ""),
            ('"', "\\u0041", '"'),
            ("", "1", ""),
            ("0.", "1", ""),
            ("1e-", "0", "1"),
            ("[1", ",0.1234567890123456789", "]"),
        ),
    ),
    "JSON rows": Reader(
        lambda text: parse_json_rows(text.encode()),
        texts(('[{"a":1}', ',{"a":1}', "]"), ('[{"a":', "[", ""), ("[", "0,", "0]")),
    ),
    "messages": Reader(
        lambda text: Envelope.parse(text.encode()),
        texts(("", "[", ""), ('{"message":{"attributes":', '{"a":', "")),
    ),
    "CSV": Reader(
        lambda text: parse_csv(text.encode(), max_rows=500),
        texts(
            ('a\n"', '""', ""), ('a\n"', "\n", ""), ("", "a,", ""), ("a\n", '"a"', "")
        ),
    ),
    "sheets": Reader(
        partial(sheet, chunk=16),
        texts(
            ('a\n"', "b\n", ""), ("", "a", ""), ('a\n"', '""', ""), ("a\n", "b\n", "")
        ),
    ),
    "forms": Reader(
        lambda text: parse_form(text.encode()),
        texts(("", "a=1&", ""), ("a=", "%41", ""), ("a=", "%", ""), ("a=", "+", "")),
    ),
    "members": Reader(
        read_members,
        texts(
            ("", " ", "x"),
            ("", "1", ""),
            ("", "1,", ""),
            ("add (", "1 ", ""),
            ("add", " ", "("),
        ),
    ),
    "filters of rules": Reader(
        lambda text: prefixed(text, "a__vr."),
        texts(
            *QUOTED, ("", "a__v ", ""), ("a", " ", ""), ("", "a (", ""), ("", "a.", "")
        ),
    ),
    "messages of Vaults": Reader(
        lambda text: _SHOWN_VALUE.sub(r"[\1]", text),
        texts(("", "[a=", ""), ("[a=", " ", ""), ("[", "a", ""), ("", "[a", "")),
    ),
    "tokens of templates": Reader(
        lambda text: (token_paths(text), rendered(text, {}, ())),
        texts(("", "${", ""), ("${", "a", ""), ("", "${a}", ""), ("${", "a.", "}")),
    ),
    "markup": Reader(
        lambda text: plain_text(text.encode(), "text/html"),
        texts(
            ("", "<!--", ""),
            ("", "<script>", ""),
            ("<script>", "</script", ""),
            ("", "<", ""),
            ("&#", "1", ";"),
            ("&#x", "f", ";"),
            ("", "&a", ""),
            ("", "&amp", ""),
            ("", " ", ""),
        ),
    ),
    "paths": Reader(
        split,
        texts(
            ("", "/", ""), ("", "a/", ""), ("", "../", ""), ("a", "\u0315\u0316", "")
        ),
    ),
    "labels": Reader(name_of_label, texts(("a", "\u0315\u0316", ""), ("", "!", "a"))),
    "Accept": Reader(
        wants_csv, texts(("", ",", ""), ("", ";", ""), ("", "a/b;q=0,", ""))
    ),
    "moments": Reader(partial(parse_moment, "since"), texts(*DAYS, ("", " ", "x"))),
    "numbers of records": Reader(coercion(NUMBER, NO_REGISTRY), texts(*DIGITS)),
    "dates of records": Reader(coercion(DATE, NO_REGISTRY), texts(*DAYS)),
    "moments of records": Reader(coercion(DATE_TIME, NO_REGISTRY), texts(*DAYS)),
    "numbers of rules": Reader(rule_value(RuleFieldType.NUMBER), texts(*DIGITS)),
    "dates of rules": Reader(rule_value(RuleFieldType.DATE), texts(*DAYS)),
    "moments of rules": Reader(rule_value(RuleFieldType.DATE_TIME), texts(*DAYS)),
    "ids": Reader(whole_number, texts(*DIGITS, ("", "0", "1"))),
}
