"""The way from one month's total to the next as bars: geometry in whole numbers, for an SVG that the server draws."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from numbersadmin.costs.bridge import Part, shown
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import Sum
from numbersadmin.formats import figure_text
from numbersadmin.money import ZERO, rounded

WIDTH, HEIGHT = 1120, 210
TOP, BOTTOM = 30, 30  # room above the bars for their amounts, and below for their names
BAR, THINNEST = 80, 2
FOOT = 46  # of a bar whose axis is cut
CUT = 3  # how often the totals have to be as high as everything between them for the axis to be cut
WORDS = {
    Part.FULL_MONTH: "Now a full month",
    Part.NEW: "New numbers",
    Part.RETURNED: "Ours again",
    Part.PRICE: "Price changes",
    Part.CURRENCY: "Another currency",
    Part.UNPRICED: "Price not known",
    Part.CORRECTIONS: "Corrections",
    Part.CANCELLED: "Cancelled",
}


def words(part: Part, month: Month) -> str:
    """The name of a reason on the way to this month."""
    if part in (Part.SETUP, Part.SETUP_BEFORE):
        return f"{(month if part is Part.SETUP else month.previous).short} set-up fees"
    return WORDS[part]


@dataclass(frozen=True, slots=True)
class Bar:
    """A month's total, or a reason with what it adds; amounts as they are shown."""

    part: Part | None
    words: str
    amount: Decimal
    exact: Decimal
    numbers: int
    look: str  # class in app.css
    x: int
    y: int
    width: int
    height: int
    level: int  # where the line to the next bar runs, and
    next_x: int  # where it ends
    text: str  # its amount

    @property
    def middle(self) -> int:
        """Where its texts stand."""
        return self.x + self.width // 2

    @property
    def end(self) -> int:
        """Its right side."""
        return self.x + self.width

    @property
    def text_y(self) -> int:
        """Where its amount stands."""
        return self.y - 8


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Everything that is drawn. `cut`: the axis does not begin at 0, and both totals have a mark that says so."""

    bars: list[Bar]
    cut: bool
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def reasons(self) -> list[Bar]:
        """The bars between the two totals."""
        return self.bars[1:-1]

    @property
    def before(self) -> Bar:
        """The total it begins with."""
        return self.bars[0]

    @property
    def after(self) -> Bar:
        """The total it leads to."""
        return self.bars[-1]

    @property
    def change(self) -> Decimal:
        """What the reasons come to, as they are shown."""
        return self.after.amount - self.before.amount

    @property
    def baseline(self) -> int:
        """Where the totals stand."""
        return HEIGHT - BOTTOM

    @property
    def names_y(self) -> int:
        """Where the names stand."""
        return HEIGHT - 10

    @property
    def marks(self) -> list[str]:
        """The points of the lines that break both totals."""
        if not self.cut:
            return []
        y = self.baseline - 12
        return [
            f"{bar.x - 2},{y + 2} {bar.middle},{y - 4} {bar.end + 2},{y + 2}"
            for bar in (self.before, self.after)
        ]


def waterfall(
    before: Decimal, parts: Mapping[Part, Sum], after: Decimal, currency: str, month: Month, after_words: str
) -> Waterfall:
    """From the total of the month before, over what changed, to that of this month."""
    found = [(part, parts[part]) for part in Part if part in parts and parts[part].amount]
    levels = [before]
    for _, one in found:
        levels.append(levels[-1] + one.amount)
    axis = _Axis.of([*levels, after])
    place = _Place(axis, len(found) + 2, currency)
    amounts = shown(before, [one.amount for _, one in found], currency)
    first = f"{month.previous.short} {month.previous.year}"
    bars = [
        place.bar(0, None, first, rounded(before, currency), Sum(0, 0, before), axis.total(before), before)
    ]
    for at, ((part, one), amount) in enumerate(zip(found, amounts, strict=True), 1):
        ends, level = sorted(levels[at - 1 : at + 1]), levels[at]
        bars.append(place.bar(at, part, words(part, month), amount, one, ends, level))
    last, total = len(bars), rounded(after, currency)
    bars.append(place.bar(last, None, after_words, total, Sum(0, 0, after), axis.total(after), after))
    return Waterfall(bars, axis.floor > 0)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where an amount is drawn: between `floor`, above 0 where the axis is cut, and `top`."""

    floor: Decimal
    top: Decimal

    @classmethod
    def of(cls, levels: list[Decimal]) -> "_Axis":
        low, high = min(levels), max(levels)
        if low > (high - low) * CUT and high > low:
            return cls(low - (high - low) * FOOT / (HEIGHT - TOP - BOTTOM - FOOT), high)
        return cls(min(ZERO, low), max(ZERO, high))

    def total(self, amount: Decimal) -> list[Decimal]:
        """The ends of a total's bar."""
        return sorted([max(ZERO, self.floor), amount])

    def y(self, amount: Decimal) -> int:
        tall = HEIGHT - TOP - BOTTOM
        span = self.top - self.floor
        return HEIGHT - BOTTOM - (int((amount - self.floor) * tall / span) if span else 0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where each of so many bars stands."""

    axis: _Axis
    bars: int
    currency: str

    def bar(
        self,
        at: int,
        part: Part | None,
        name: str,
        amount: Decimal,
        one: Sum,
        ends: list[Decimal],
        level: Decimal,
    ) -> Bar:
        """The bar with this place, between two amounts."""
        room = WIDTH // self.bars
        width = min(BAR, room * 4 // 7)
        bottom, top = (self.axis.y(end) for end in ends)
        look = "b" if part is None else "up" if one.amount > 0 else "dn"
        x, height = at * room + (room - width) // 2, max(THINNEST, bottom - top)
        text = figure_text(amount, self.currency, signed=part is not None)
        place = (x, top, width, height, self.axis.y(level), x + room)
        return Bar(part, name, amount, one.amount, one.numbers, look, *place, text)
