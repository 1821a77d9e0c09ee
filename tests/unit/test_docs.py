"""The documentation is complete where it lists things, and its links lead to something."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic_settings import BaseSettings

from local import api_reference, compatibility
from services.connector.connector_settings import ConnectorSettings, VaultAccess
from shared.protocol.error_types import ErrorType
from shared.runtime.health import Health
from shared.runtime.metrics_route import metrics_router
from shared.runtime.retry_policies import POLICIES, UNBOUNDED, RetryPolicy
from shared.runtime.telemetry import metrics
from shared.vault.api.api_app import CHAPTERS
from shared.vault.assembly.vault_settings import VaultSettings
from shared.vault.components.types import COMPONENT_TYPES

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(path for path in (*PROJECT.glob("*.md"), *DOCS.rglob("*.md")))

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| ([^|]+) \|", re.MULTILINE)
CALLED_BY_OTHER_TASKS = {"servers", "check-lock"}


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code forges derive them."""
    headings = (
        heading.lower().replace(" ", "-") for heading in HEADING.findall(prose(page))
    )
    return {re.sub(r"[^\w-]", "", heading) for heading in headings}


def variables(settings: type[BaseSettings]) -> dict[str, object]:
    """Environment variables of a service with their defaults; ``...`` where one is required."""
    prefix = settings.model_config["env_prefix"]
    return {
        f"{prefix}{name}".upper(): ... if field.is_required() else field.default
        for name, field in settings.model_fields.items()
    }


def routes() -> Iterator[tuple[str, str]]:
    """Verb and path of everything that a Vault serves."""
    routers: list[APIRouter] = [
        *(chapter.router for chapter in CHAPTERS),
        Health().router(),
        metrics_router(metrics),
    ]
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods or ()):
                yield method, re.sub(r"{(\w+):\w+}", r"{\1}", route.path)


def tasks() -> set[str]:
    """Tasks of the Makefile that a person may call."""
    phony = re.search(
        r"^\.PHONY: (.+)$",
        (PROJECT / "Makefile").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert phony is not None
    return set(phony.group(1).split()) - CALLED_BY_OTHER_TASKS


@pytest.mark.parametrize("settings", [VaultSettings, ConnectorSettings])
def test_every_setting_is_listed_with_its_default(settings: type[BaseSettings]) -> None:
    listed = dict(ROW.findall((DOCS / "operations.md").read_text(encoding="utf-8")))
    expected = variables(settings)
    prefix = str(settings.model_config["env_prefix"])
    assert {name for name in listed if name.startswith(prefix)} == set(expected)
    for name, default in expected.items():
        if default is ...:
            assert listed[name] == "required", name
        elif default is not None:
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            # An empty text is no value, and a code span cannot be empty.
            assert listed[name] == (f"`{shown}`" if shown else "\N{EN DASH}"), name


def test_every_member_of_a_vault_entry_is_named() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    assert [name for name in VaultAccess.model_fields if f"`{name}`" not in page] == []


def test_every_compose_variable_is_listed() -> None:
    compose = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    names = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", compose))
    assert names
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_the_reference_is_what_the_code_says() -> None:
    assert api_reference.PAGE == DOCS / "api-reference.md"
    assert compatibility.PAGE == DOCS / "compatibility.md"
    for page in (api_reference, compatibility):
        assert page.PAGE.read_text(encoding="utf-8") == page.page(), (
            "run `make reference`"
        )


def test_every_operation_is_served_or_left_out_for_a_reason_or_awaited() -> None:
    every = compatibility.operations()
    assert len({(each.verb, each.path) for each in every}) == 414
    assert [each for each in every if each.served and each.reason] == []
    # A floor: it goes up with what is added, and never down.
    assert sum(each.served for each in every) >= 294


def test_every_route_is_listed() -> None:
    page = "".join(
        (DOCS / name).read_text(encoding="utf-8")
        for name in ("api-reference.md", "api.md")
    )
    assert [
        f"{method} {path}"
        for method, path in routes()
        if f"`{method} {path}`" not in page
    ] == []


def test_every_listed_route_exists() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", page))
    assert listed - {f"{method} {path}" for method, path in routes()} == set()


def test_every_component_type_is_listed() -> None:
    page = (DOCS / "api-reference.md").read_text(encoding="utf-8")
    names = {
        name
        for kind in COMPONENT_TYPES.values()
        for name in (kind.name, *kind.subtypes)
    }
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_every_listed_error_type_exists() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    section = page.partition("| Error type |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", section)) - {"AUTHENTICATION_FAILED"}
    assert listed
    assert listed - {str(error) for error in ErrorType} == set()


def test_every_listed_metric_exists() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    section = page.partition("| Metric |")[2].partition("\n\n")[0]
    listed = {
        name
        for row in section.splitlines()[2:]
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    known = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in metrics.registry.collect()
    }
    assert listed
    assert listed - known == set()


def test_make_help_shows_every_task() -> None:
    command = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(
        command, cwd=PROJECT, check=True, capture_output=True, text=True, timeout=30
    ).stdout
    assert set(re.findall(r"^ *make ([a-z-]+) ", shown, re.MULTILINE)) == tasks()


def test_every_task_is_documented() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert sorted(name for name in tasks() if f"`make {name}`" not in pages) == []


def test_every_documented_task_exists() -> None:
    for page in PAGES:
        fences = "\n".join(FENCE.findall(page.read_text(encoding="utf-8")))
        named = {
            *re.findall(r"`(?:KEEP=1 )?make ([a-z-]+)", prose(page)),
            *re.findall(r"\nmake ([a-z-]+)", fences),
        }
        assert named <= tasks(), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in LINK.findall(prose(page))
        if not re.match(r"[a-z]+:", link)
    }
    assert [page.name for page in DOCS.rglob("*.md") if page not in linked] == []


FEATURE = re.compile(
    r"\| (\d+) \| [^|]+ \| (yes|partly|no)\b[^|]* \| ([^|]*) \| ([^|]*) \|"
)


def test_every_feature_says_where_it_is_and_what_shows_it() -> None:
    """A line for each, in order; an implemented one names existing code and an existing test."""
    lines = [
        line
        for line in (DOCS / "features.md").read_text().splitlines()
        if re.match(r"\| \d", line)
    ]
    found = [match.groups() for line in lines if (match := FEATURE.fullmatch(line))]
    assert len(found) >= 115
    numbers = [int(number) for number, *_ in found]
    assert numbers == list(range(1, len(found) + 1))
    for number, here, built, shown in found:
        places = re.findall(r"`([^`]+)`", built)
        assert (here == "no") or places, number
        assert all((PROJECT / place).exists() for place in places), number
        tests = re.findall(r"`([^`:]+)(?:::(\w+))?`", shown)
        assert here != "yes" or tests, number
        for file, function in tests:
            assert (PROJECT / file).exists(), (number, file)
            assert not function or f"def {function}(" in (PROJECT / file).read_text(), (
                number,
                function,
            )


DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
DATED = re.compile(
    r"^\*\*Status:\*\* (?:accepted|replaced by .+) on (\d{4}-\d{2}-\d{2})$",
    re.MULTILINE,
)


def test_decisions_are_numbered_without_holes() -> None:
    assert [page.name[:4] for page in DECISIONS] == [
        f"{number:04}" for number in range(1, len(DECISIONS) + 1)
    ]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_number_and_a_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.name[:4]} ")
    (day,) = DATED.findall(text)
    assert date.fromisoformat(day)


def documented(policy: RetryPolicy) -> str:
    """The row of a retry policy in the operations page."""
    unbounded = policy.attempts == UNBOUNDED
    attempts = "no bound" if unbounded else str(policy.attempts)
    pauses = f"{policy.first_pause:g} to {policy.longest_pause:g} s"
    cells = (
        policy.tries,
        policy.after,
        attempts,
        pauses if policy.longest_pause else "none",
        policy.finally_,
    )
    return f"| {' | '.join(cells)} |"


def test_the_operations_page_lists_every_retry_policy() -> None:
    section = (
        (DOCS / "operations.md").read_text().partition("## What is tried again")[2]
    )
    table = [
        line
        for line in section.partition("\n## ")[0].splitlines()
        if line.startswith("| ")
    ]
    assert table[1:] == [documented(policy) for policy in POLICIES]


SOURCE_PATH = re.compile(r"`((?:services|shared|local|medcrm|bench|tests)/[\w/.]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_of_the_project_lead_somewhere(page: Path) -> None:
    paths = SOURCE_PATH.findall(prose(page))
    assert [path for path in paths if not (PROJECT / path).exists()] == []
