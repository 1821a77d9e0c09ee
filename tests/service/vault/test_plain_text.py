"""Rich text as people read it: its plain text is that of HTML, however broken the markup is."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.servers import PostgresServer
from shared.vault.storage.database import Database
from shared.vault.storage.migrate import migrate
from tests.servers import fresh_database

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

PLAIN = "SELECT platform.plain_text($1)"
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
REFERENCES = [
    *("&", "&lt", "&lt;", "&nbsp;", "&notit;", "&notin;", "&amp;lt;", "&#", "&#x", ";"),
    *("&#8364;", "&#x20AC", "&#128;", "&#0;", "&#xD800;", "&#1114112;", "&#11;", "x"),
    *("&#99999999999999999999;", "&#xFFFF;", "&Eacute;t&eacute", "&unknown;", "1"),
]
references = st.lists(st.sampled_from(REFERENCES)).map("".join)


@pytest.fixture(scope="module")
async def connection(postgres_server: PostgresServer) -> AsyncIterator[Connection]:
    """A connection to a database with the platform's functions."""
    async with fresh_database(postgres_server) as dsn:
        database = Database(dsn)
        await database.open()
        await migrate(database)
        async with database.connection() as connection:
            yield connection
        await database.close()


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", ""),
        ("as it is \n ", "as it is \n "),
        ("<p>BP 5 < 6 and more</p><p>x</p>", "BP 5 < 6 and more\nx"),
        ("a<3 <- b << c <", "a<3 <- b << c <"),
        ("<p>a</p>\n<p>b</p>", "a\nb"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\nc"),
        ("a<br>b<BR/>c<hr>d", "a\nb\nc\nd"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a  b"),
        ("Chole<b>cap</b> <i>10</i>&nbsp;mg &lt;5&gt; &amp;amp;", "Cholecap 10\xa0mg <5> &amp;"),
        ("<a title='a > b' href=\"x>y\">c</a>", "c"),
        ("<a title='a < b'>c</a> <img alt = \"<p>\">d", "c d"),
        ("<a title=it's>b</a> <a x'y>c</a>", "b c"),
        ("<a <b>c", "c"),
        ("a<!-- <p>-- > not -->b<!-->c<!--->d", "abcd"),
        ("<!DOCTYPE html><?xml x?>a</ b>c</>d", "acd"),
        ("<script>if (a<b) '</p>'</SCRIPT >x<style>p{}</style>y", "xy"),
        ("<scripted>x</scripted><script>y</scripted>z", "x"),
        ("a &l<b>t;</b>", "a &lt;"),
        ("text <p never closed", "text"),
        ("text<!-- never closed <p>more", "text"),
    ],
)  # fmt: skip
async def test_the_plain_text_of_html(
    connection: Connection, markup: str, expected: str
) -> None:
    assert await connection.fetchval(PLAIN, markup) == expected


@given(text=texts)
async def test_an_escaped_text_is_read_as_it_was(
    connection: Connection, text: str
) -> None:
    assert await connection.fetchval(PLAIN, html.escape(text)) == text


@given(text=references)
async def test_references_are_read_as_html_reads_them(
    connection: Connection, text: str
) -> None:
    assert await connection.fetchval(PLAIN, text) == html.unescape(text)


@pytest.mark.parametrize(
    "piece",
    ["<", "<a", '<a="', "<a='\"", "<!--", "<p>", "&", "&lt", " \n", "    ", "<script>", "<a =", "=\"'"],
)  # fmt: skip
async def test_no_markup_is_read_more_than_once(
    connection: Connection, piece: str
) -> None:
    text = "<p>" + piece * (300_000 // len(piece))
    # The statement has a time limit; reading the rest at each piece would take minutes.
    await connection.execute("SET statement_timeout = '20s'")
    assert await connection.fetchval(PLAIN, text + ">x") is not None
