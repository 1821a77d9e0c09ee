"""The ratios of ``make bench``, computed from figures of its parts, and their picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.parts import aim, ratios
from bench.ratio_picture import MISSED, REACHED, drawn

FIGURES: Mapping[str, Mapping[str, Any]] = {
    "cost": {
        "account, insert": {"microseconds": 500},
        "account, unchanged": {"microseconds": 400},
    },
    "peers": {"account, insert": {"floor": {"microseconds": 100}}},
    "small-calls": {
        "one record": {"vault_ms": 1.0, "bare_ms": 0.5, "ratio": 2.0},
        "two workers, 16 clients": {"one_worker_per_second": 1.0, "ratio": 1.8},
    },
    "growth": {"`FIND`": {"10000": 2.0, "1000000": 3.0, "100000": 9.0}},
}


def test_each_ratio_is_between_figures_of_one_run() -> None:
    assert ratios(FIGURES) == {
        "cost: account, insert": 5.0,
        "small call: one record": 2.0,
        "growth: `FIND`": 1.5,
    }


@pytest.mark.parametrize("part", FIGURES)
def test_parts_that_were_not_run_have_no_ratios(part: str) -> None:
    rest = {name: figures for name, figures in FIGURES.items() if name != part}
    assert set(ratios(rest)) < set(ratios(FIGURES))


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("cost: account, insert", 2.5),
        ("cost: inquiry", 3.0),
        ("cost: account, unchanged", None),
        ("small call: page of 50", 1.8),
        ("growth: `FIND`", 1.5),
    ],
)
def test_a_ratio_has_the_aim_of_its_kind(name: str, largest: float | None) -> None:
    assert aim(name) == largest


def test_the_picture_has_a_bar_for_each_ratio_in_the_colour_of_its_aim() -> None:
    picture = ET.fromstring(drawn(ratios(FIGURES)))  # noqa: S314  made here
    bars = [each for each in picture.iter() if each.tag.endswith("rect")][1:]
    assert [bar.get("fill") for bar in bars] == [MISSED, MISSED, REACHED]
    assert float(bars[0].get("width", "0")) == pytest.approx(
        2.5 * float(bars[1].get("width", "0")), rel=0.01
    )
