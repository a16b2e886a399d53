"""Geometry of the chart of months: bars, axis and labels as whole numbers, for an SVG that the server draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from numbersadmin.costs.months import Month
from numbersadmin.money import ZERO

WIDTH, HEIGHT = 386, 232
WIDE, LOW = 720, 190  # where the chart has most of the page's width
TOP, BOTTOM, LABEL = 14, 28, 7  # room above and below the bars, width of a figure in an axis label
NAME = 24  # width of a month's name
STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


class Look(StrEnum):
    """How a bar is drawn, as its class in app.css."""

    PALE = "b2"
    STRONG = "b"
    DASHED = "out"


@dataclass(frozen=True, slots=True)
class Column:
    """A month to draw; amount None before records."""

    month: Month
    amount: Decimal | None
    look: Look
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One month. `height` is None where nothing is on record."""

    month: Month
    x: int
    y: int
    width: int
    height: int | None
    middle: int
    look: Look
    mark: bool  # people have noted something about it
    named: bool  # with many months not each has room for its name


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid with its amount."""

    y: int
    text: str

    @property
    def text_y(self) -> int:
        """Where its amount stands, beside the line."""
        return self.y + 4


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn, in units of the view box."""

    bars: list[Bar]
    ticks: list[Tick]
    left: int
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def mark_y(self) -> int:
        """Where marks stand, above all bars."""
        return TOP // 2

    @property
    def wide(self) -> bool:
        """Is it drawn over most of the page's width?"""
        return self.width == WIDE

    @property
    def baseline(self) -> int:
        """Where the bars stand."""
        return self.height - BOTTOM

    @property
    def text_y(self) -> int:
        """Where the months' names stand."""
        return self.baseline + 18

    @property
    def label_x(self) -> int:
        """Where the axis labels end."""
        return self.left - 8


def chart(columns: Sequence[Column], *, wide: bool = False) -> Chart:
    """A bar for each month; None is a month before records, which has no bar."""
    full, high = (WIDE, LOW) if wide else (WIDTH, HEIGHT)
    highest = max((column.amount for column in columns if column.amount is not None), default=ZERO)
    step = tick_step(highest)
    top = max(step, (highest / step).to_integral_value(ROUND_CEILING) * step)
    labels = [step * at for at in range(int(top / step) + 1)]
    texts = [f"{amount:,f}" for amount in labels]
    left = max(map(len, texts)) * LABEL + 10
    tall = high - TOP - BOTTOM
    room = (full - left) // len(columns)
    width, every = max(4, room * 2 // 3), -(-NAME // room)
    bars = []
    for at, column in enumerate(columns):
        x = left + at * room + (room - width) // 2
        height = None if column.amount is None else int(max(ZERO, column.amount) * tall / top)
        if column.amount and not height:
            height = 1  # something is not nothing
        y = high - BOTTOM - (height or 0)
        named = (len(columns) - 1 - at) % every == 0
        bars.append(Bar(column.month, x, y, width, height, x + width // 2, column.look, column.mark, named))
    ticks = [
        Tick(high - BOTTOM - int(amount * tall / top), text)
        for amount, text in zip(labels, texts, strict=True)
    ]
    return Chart(bars, ticks, left, full, high)


def tick_step(highest: Decimal) -> Decimal:
    """A round distance between the lines of the grid, so that there are two to five of them."""
    if highest <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(highest.adjusted() - 1)
    sizes = (power * step * scale for scale in (1, 10) for step in STEPS)
    return min(size for size in sizes if highest <= size * 4).normalize()
