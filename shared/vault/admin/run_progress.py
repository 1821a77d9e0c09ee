"""Computes the speed and remaining time of a run, and draws the latest runs as bars; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.integrations.run_model import Counts, Run

SECOND = timedelta(seconds=1)
BAR_WIDTH, GAP = 10, 4
HEIGHT = 60
# So that one record among thousands is seen.
LEAST = 2.0
PARTS = ("written", "skipped", "failed")
"""Counts that make up a bar, from the bottom to the top; each is a class of the stylesheet."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run: ``rate`` in source records per second, and the time left; None while unknown."""

    rate: float | None
    left: timedelta | None

    @property
    def left_words(self) -> str:
        """Return the time left in words; empty while unknown."""
        return "" if self.left is None else duration_words(self.left)


def progress_of(run: Run, now: datetime) -> Progress:
    """Return the progress of a run; for an ended run, its average speed."""
    if run.run_start_date is None:
        return Progress(None, None)
    until = run.run_end_date or now
    seconds = (until - run.run_start_date).total_seconds()
    if seconds <= 0 or not run.counts.read:
        return Progress(None, None)
    rate = run.counts.read / seconds
    # How many batches there will be is known when the last stage has been read.
    all_read = run.paged and not run.more_stages
    if run.run_end_date is not None or not all_read or not run.reported:
        return Progress(rate, None)
    waiting = max(0, run.batches - run.reported)
    return Progress(rate, timedelta(seconds=waiting * seconds / run.reported))


def duration_words(duration: timedelta) -> str:
    """Return a duration in its largest whole units, for example "2 min" or "1 h 5 min"."""
    seconds = max(0, round(duration.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def took_words(start: datetime | None, end: datetime | None) -> str:
    """Return the time between start and end in words; empty without a start or an end."""
    if start is None or end is None:
        return ""
    took = end - start
    return "under 1 s" if took < SECOND else duration_words(took)


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle of a bar; ``name`` is the CSS class of its colour."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one run in the chart; its height is the number of records read."""

    run: Run
    x: int
    parts: tuple[Part, ...]

    @property
    def title(self) -> str:
        """Return the tooltip of the bar."""
        counts = self.run.counts
        numbers = ", ".join(f"{getattr(counts, name)} {name}" for name in PARTS)
        return f"Run {self.run.job_id}: {self.run.status.value.lower()}; {numbers}"


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of the latest runs, the earliest first; ``most`` is the largest number of records read by one run."""

    bars: tuple[Bar, ...]
    most: int

    @property
    def width(self) -> int:
        """Return the width of the drawing, in its own units."""
        return max(1, len(self.bars) * (BAR_WIDTH + GAP))

    @property
    def height(self) -> int:
        """Return the height of the drawing."""
        return HEIGHT

    @property
    def bar_width(self) -> int:
        """Return the width of a bar."""
        return BAR_WIDTH

    @property
    def words(self) -> str:
        """Return the chart as a sentence, for readers who do not see it."""
        failed = sum(1 for bar in self.bars if bar.run.counts.failed)
        number = len(self.bars)
        return f"Latest {number} runs: the largest has read {self.most} records; {failed} had failures"


def chart_of(latest_first: Sequence[Run]) -> Chart:
    """Return the chart of runs, which are passed with the latest first."""
    runs = list(reversed(latest_first))
    most = max((run.counts.read for run in runs), default=0)
    bars = (
        Bar(run, number * (BAR_WIDTH + GAP), tuple(_parts(run.counts, most)))
        for number, run in enumerate(runs)
    )
    return Chart(tuple(bars), most)


def _parts(counts: Counts, most: int) -> Iterable[Part]:
    """Yield the rectangles of a bar; a run without records gets a visible line."""
    if not counts.read:
        yield Part("nothing", HEIGHT - LEAST, LEAST)
        return
    numbers = {name: getattr(counts, name) for name in PARTS}
    shown = [(name, number) for name, number in numbers.items() if number]
    # The minimum heights are subtracted from the height that is drawn to scale.
    scale = HEIGHT - LEAST * len(shown)
    top = float(HEIGHT)
    for name, number in shown:
        height = LEAST + scale * number / most
        top -= height
        yield Part(name, round(top, 2), round(height, 2))
