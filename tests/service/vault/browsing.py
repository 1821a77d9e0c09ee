"""A browser without scripts: opens pages, follows links and submits forms by their visible labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import aiohttp
from yarl import URL

from tests.service.vault.served import PASSWORD, USERNAMES

VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    }
)
INLINE = frozenset({"a", "code", "small", "span", "strong", "time", "wbr"})
HIDDEN = frozenset({"style", "script", "head"})


@dataclass
class Form:
    """A form with its initial values and, by the label of each button, the values that the button adds."""

    action: str
    method: str
    multipart: bool
    fields: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    options: dict[str, dict[str, str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self._within: list[str] = []  # text of the element that is being read
        self._form: Form | None = None
        self._button: dict[str, str] = {}
        self._select = self._option = self._area = self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._part(tag)
        self.tags.append((tag, given))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("a", "button", "option", "textarea"):
            self._within = []
        if tag == "form":
            self._begin_form(given)
        else:
            self._control(tag, given.get("name", ""), given)

    def _begin_form(self, given: dict[str, str]) -> None:
        kind = given.get("enctype") == "multipart/form-data"
        self._form = Form(given.get("action", ""), given.get("method", "get"), kind)
        self.forms.append(self._form)

    def _control(self, tag: str, name: str, given: dict[str, str]) -> None:
        if tag == "a":
            self._link = given.get("href", "")
        elif tag == "button":
            self._button = {name: given.get("value", "")} if name else {}
        elif tag == "select":
            self._select = name
            self._fields[name] = ""
            self._options[name] = {}
        elif tag == "datalist":
            # Its options are offered, and none of them is chosen.
            self._select = ""
        elif tag == "option":
            self._option = given.get("value", "")
            if "selected" in given:
                self._fields[self._select] = self._option
        elif tag == "textarea":
            self._area = name
        elif tag == "input" and name and _is_sent(given):
            self._fields[name] = given.get("value", "")

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self.text.append(" ")

    @property
    def _fields(self) -> dict[str, str]:
        return self._form.fields if self._form else {}

    @property
    def _options(self) -> dict[str, dict[str, str]]:
        return self._form.options if self._form else {}

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes nothing"
        self._part(tag)
        told = " ".join("".join(self._within).split())
        if tag == "form":
            self._form = None
        elif tag == "a":
            self.links.setdefault(told, self._link)
        elif tag == "button" and self._form:
            self._form.labels[told] = self._button
        elif tag == "option" and self._select in self._options:
            self._options[self._select][told] = self._option
        elif tag == "textarea":
            self._fields[self._area] = "".join(self._within).removeprefix("\n")

    def handle_data(self, data: str) -> None:
        self._within.append(data)
        if not HIDDEN.intersection(self._open):
            self.text.append(data)


class Page:
    """One answer, with its texts, links and forms."""

    def __init__(
        self, status: int, url: URL, headers: Mapping[str, str], html: str
    ) -> None:
        self.status, self.url, self.headers, self.html = status, url, headers, html
        self.body = b""
        reader = _Reader()
        reader.feed(html)
        assert not reader._open, f"left open: {reader._open}"
        self.forms, self.links, self.tags = reader.forms, reader.links, reader.tags
        self.text = " ".join("".join(reader.text).split())

    @property
    def path(self) -> str:
        return self.url.path

    def form(self, label: str) -> Form:
        """The form with this button."""
        found = [form for form in self.forms if label in form.labels]
        assert len(found) == 1, (label, [form.labels for form in self.forms], self.text)
        return found[0]


class Browser:
    """One person's browser at one Vault."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    @property
    def jar(self) -> aiohttp.abc.AbstractCookieJar:
        return self._http.cookie_jar

    async def request(self, method: str, path: str, **options: Any) -> Page:
        """Send a request and follow its redirects."""
        async with self._http.request(
            method, URL(self.url).join(URL(path)), **options
        ) as answer:
            html = answer.content_type == "text/html"
            page = Page(
                answer.status,
                answer.url,
                answer.headers,
                await answer.text() if html else "",
            )
            page.body = await answer.read()
            return page

    async def open(self, path: str, **options: Any) -> Page:
        """Open a page."""
        return await self.request("GET", path, **options)

    async def click(self, page: Page, label: str) -> Page:
        """Follow the first link of this text."""
        assert label in page.links, (label, sorted(page.links))
        return await self.open(page.links[label])

    def filled(
        self, page: Page, label: str, fields: Mapping[str, str]
    ) -> tuple[Form, dict[str, str]]:
        """The form with this button, with these fields filled in; choices may be made by their label."""
        form = page.form(label)
        ticked = {
            given.get("name")
            for tag, given in page.tags
            if given.get("type") == "checkbox"
        }
        unknown = [
            name for name in fields if name not in form.fields and name not in ticked
        ]
        assert not unknown, (unknown, form.fields)
        chosen = {
            name: form.options.get(name, {}).get(value, value)
            for name, value in fields.items()
        }
        return form, {**form.fields, **chosen, **form.labels[label]}

    async def press(self, page: Page, label: str, /, **fields: str) -> Page:
        """Fill a form in and press its button."""
        form, values = self.filled(page, label, fields)
        if form.method == "get":
            return await self.open(form.action or page.path, params=values)
        headers = {"Referer": str(page.url)}
        data = aiohttp.FormData(values, default_to_multipart=form.multipart)
        return await self.request(
            "POST", form.action or page.path, data=data, headers=headers
        )

    async def send_file(
        self, page: Page, label: str, content: bytes, name: str = "file.json"
    ) -> Page:
        """Choose a file in a form and press its button."""
        form, values = self.filled(page, label, {})
        assert form.multipart
        data = aiohttp.FormData(values)
        data.add_field("file", content, filename=name)
        return await self.request("POST", form.action or page.path, data=data)

    async def download(self, page: Page, label: str) -> bytes:
        """Press a button that is answered with a file."""
        form, values = self.filled(page, label, {})
        async with self._http.post(
            URL(self.url).join(URL(form.action)), data=values
        ) as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment"), (
                await answer.text()
            )
            return await answer.read()

    async def sign_in(
        self, username: str, password: str = PASSWORD, path: str = "/ui/"
    ) -> Page:
        """Open a page, and sign in when it asks for it."""
        page = await self.open(path)
        return await self.press(page, "Sign in", username=username, password=password)

    def cookies(self) -> dict[str, str]:
        """The cookies that the browser would send with a page."""
        kept = self._http.cookie_jar.filter_cookies(URL(self.url).join(URL("/ui/")))
        return {name: morsel.value for name, morsel in kept.items()}


@asynccontextmanager
async def browser(url: str, role: str | None = None) -> AsyncIterator[Browser]:
    """A browser with cookies of its own, signed in if a role is passed."""
    jar = aiohttp.CookieJar(unsafe=True)  # hosts that are numbers have cookies, too
    async with aiohttp.ClientSession(
        cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=30)
    ) as http:
        made = Browser(http, url)
        if role is not None:
            page = await made.sign_in(USERNAMES[role])
            assert page.status == 200, page.text
        yield made


def _is_sent(attributes: dict[str, str]) -> bool:
    """Return whether a browser submits this input unchanged."""
    unsent_alone = attributes.get("type") in ("file", "checkbox")
    return not unsent_alone or "checked" in attributes
