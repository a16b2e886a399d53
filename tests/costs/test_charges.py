"""The rules of docs/costs.md, each with its worked example, figure by figure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from numbersadmin.costs.charges import NO_PRICE, NOT_LISTED, Charge, Possession, Price, charges
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.money import Totals

# ── facts, written as a person would tell them ───────────────────────────────────────────────────────────────────


def at(text: str) -> datetime:
    """A moment in UTC: `2026-10-14 09:12`, or the day's midnight."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def price(
    since: str,
    monthly: str | None,
    *,
    until: str | None = None,
    not_before: str | None = None,
    setup: str | None = "0",
    initial: str | None = None,
    currency: str = "EUR",
    quoted: bool = False,
) -> Price:
    """One version of a number's price; None is unknown."""
    amounts = [None if text is None else Decimal(text) for text in (monthly, setup, initial)]
    ends = [at(moment) if moment else None for moment in (until, not_before)]
    return Price(at(since), *ends, *amounts, currency, quoted)


def possession(seen: str, *prices: Price, **more: Any) -> Possession:
    """A number first seen at a moment; moments may be given as text."""
    facts = {key: at(value) if isinstance(value, str) else value for key, value in more.items()}
    return Possession(1, at(seen), prices, **facts)


def bought(day: str, *prices: Price, **more: Any) -> Possession:
    """A number bought here."""
    return possession(day, *prices, acquired_at=day, exact=True, **more)


def lines(one: Possession, first: str, last: str = "", zone: str = "UTC") -> list[Charge]:
    """Its charges from one month to another."""
    return charges(one, Month.parse(first), Month.parse(last or first), Calendar(zone))


def short(found: list[Charge]) -> list[str]:
    """Charges as `2026-10 initial 2.903226 EUR quoted`."""
    return [f"{c.month} {c.kind} {c.amount} {c.currency} {c.basis}" for c in found]


# ── bought here ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_bought_here_costs_what_the_quote_said_then_full_months():
    quote = price("2026-10-14 09:12", "5", setup="2", initial="2.903226", quoted=True)
    assert short(lines(bought("2026-10-14 09:12", quote), "2026-09", "2026-12")) == [
        "2026-10 setup 2 EUR quoted",
        "2026-10 initial 2.903226 EUR quoted",
        "2026-11 recurring 5 EUR listed",
        "2026-12 recurring 5 EUR listed",
    ]


def test_the_lines_say_which_days_they_are_for():
    quote = price("2026-10-14 09:12", "5", setup="2", initial="2.903226", quoted=True)
    setup, first, full = lines(bought("2026-10-14 09:12", quote), "2026-10", "2026-11")
    assert (setup.period_start, setup.period_end) == (at("2026-10-14"), at("2026-10-15"))
    assert (first.period_start, first.period_end) == (at("2026-10-14"), at("2026-11-01"))
    assert (full.period_start, full.period_end) == (at("2026-11-01"), at("2026-12-01"))
    assert (first.per_month, full.per_month) == (Decimal(5), Decimal(5))


def test_a_later_list_does_not_change_what_was_quoted():
    quote = price("2026-10-14 09:12", "5", until="2026-10-14 10:00", initial="2.903226", quoted=True)
    listed = price("2026-10-14 10:00", "5", not_before="2026-10-14 09:12", initial="2.741936")
    assert short(lines(bought("2026-10-14 09:12", quote, listed), "2026-10")) == [
        "2026-10 initial 2.903226 EUR quoted"
    ]


def test_without_a_stated_first_month_the_share_of_days_is_charged_rounded_up():
    quote = price("2026-10-13 09:00", "15", quoted=True)
    assert short(lines(bought("2026-10-13 09:00", quote), "2026-10")) == [
        "2026-10 initial 9.193549 EUR computed"
    ]


def test_an_unknown_set_up_price_is_said_not_left_out():
    quote = price("2026-10-14", "5", setup=None, initial="2.903226", quoted=True)
    setup, _ = lines(bought("2026-10-14", quote), "2026-10")
    assert (setup.kind, setup.amount, setup.note) == ("setup", None, NO_PRICE)


# ── found by the sync ────────────────────────────────────────────────────────────────────────────────────────────


def test_already_owned_at_the_first_sync_is_a_full_month_and_nothing_before():
    found = price("2026-09-01 12:00", "15", setup="4", initial="9.193549")
    assert short(lines(possession("2026-09-01 12:00", found), "2026-07", "2026-10")) == [
        "2026-09 recurring 15 EUR listed",
        "2026-10 recurring 15 EUR listed",
    ]


def test_bought_outside_within_one_month_costs_what_the_list_says():
    found = price("2026-10-15 06:00", "5", setup="1", initial="2.903226")
    one = possession("2026-10-15 06:00", found, acquired_from="2026-10-12 06:00")
    setup, first = lines(one, "2026-10")
    assert short([setup, first]) == ["2026-10 setup 1 EUR listed", "2026-10 initial 2.903226 EUR listed"]
    assert first.period_start == at("2026-10-14"), "18 of 31 days begin on the 14th"


@pytest.mark.parametrize(
    ("after", "basis", "share"),
    [("2026-10-13 06:00", "computed", "9.193549"), ("2026-10-11 06:00", "inferred", "9.193549")],
)
def test_bought_outside_and_no_first_month_stated(after, basis, share):
    found = price("2026-10-13 09:00", "15")
    one = possession("2026-10-13 09:00", found, acquired_from=after)
    assert short(lines(one, "2026-10")) == [f"2026-10 initial {share} EUR {basis}"]


def test_first_seen_late_and_the_price_fits_no_day_between():
    found = price("2026-11-03", "15", setup="0", initial="9.677420")
    one = possession("2026-11-03", found, acquired_from="2026-10-28")
    (line,) = lines(one, "2026-10", "2026-11")
    assert short([line]) == ["2026-11 recurring 15 EUR inferred"]
    assert "October 2026 may be billed as well" in line.note


def test_first_seen_late_and_the_price_tells_the_day():
    found = price("2026-11-03", "15", initial="1.451613")
    one = possession("2026-11-03", found, acquired_from="2026-10-28")
    first, full = lines(one, "2026-10", "2026-11")
    assert short([first, full]) == [
        "2026-10 initial 1.451613 EUR inferred",
        "2026-11 recurring 15 EUR listed",
    ]
    assert first.period_start == at("2026-10-29")


def test_first_seen_late_and_the_price_fits_the_month_it_was_seen_in():
    found = price("2026-11-03", "15", initial="14")  # 28 of 30 days: the 3rd
    one = possession("2026-11-03", found, acquired_from="2026-10-28")
    assert short(lines(one, "2026-10", "2026-12")) == [
        "2026-11 initial 14 EUR inferred",
        "2026-12 recurring 15 EUR listed",
    ]


def test_first_seen_late_and_the_price_fits_days_of_two_months():
    found = price("2026-05-03", "15", initial="7.5")  # 14 of 28 days in February, 15 of 30 in April
    one = possession("2026-05-03", found, acquired_from="2026-02-01")
    assert short(lines(one, "2026-01", "2026-05")) == ["2026-05 recurring 15 EUR inferred"]


def test_first_seen_late_without_a_stated_first_month():
    found = price("2026-11-03", "15", setup="2")
    one = possession("2026-11-03", found, acquired_from="2026-10-28")
    assert short(lines(one, "2026-10", "2026-12")) == [
        "2026-11 setup 2 EUR inferred",
        "2026-11 recurring 15 EUR inferred",
        "2026-12 recurring 15 EUR listed",
    ]


def test_a_day_inferred_by_the_sync_does_not_change_what_the_list_said():
    found = price("2026-10-15 06:00", "5", initial="2.903226")
    one = possession("2026-10-15 06:00", found, acquired_from="2026-10-12 06:00", acquired_at="2026-10-14")
    assert short(lines(one, "2026-10")) == ["2026-10 initial 2.903226 EUR listed"]


def test_bought_here_but_read_a_month_later_must_fit_its_day():
    frozen = price("2026-11-01 00:10", "15", initial="1.451613")
    current = price("2026-11-01 00:10", "15", initial="15")
    for found, share in [(frozen, "1.451613"), (current, "1.451613")]:
        one = bought("2026-10-29 23:50", found)
        assert short(lines(one, "2026-10")) == [f"2026-10 initial {share} EUR inferred"]


# ── price changes ────────────────────────────────────────────────────────────────────────────────────────────────


def changed(after: str, seen: str, was: str = "8", now: str = "9", **more: Any) -> Possession:
    """A number owned since September whose price changed in (after, seen]."""
    return possession(
        "2026-09-01 12:00",
        price("2026-09-01 12:00", was, until=seen),
        price(seen, now, not_before=after, **more),
    )


def test_a_change_within_a_month_counts_from_the_next_month():
    one = changed("2026-10-24", "2026-10-25")
    assert short(lines(one, "2026-10", "2026-12")) == [
        "2026-10 recurring 8 EUR listed",
        "2026-11 recurring 9 EUR listed",
        "2026-12 recurring 9 EUR listed",
    ]


def test_a_change_around_the_first_uses_the_new_price_and_says_so():
    line_of = {
        str(c.month): c for c in lines(changed("2026-10-31 20:00", "2026-11-01 02:00"), "2026-10", "2026-12")
    }
    assert short([line_of["2026-11"]]) == ["2026-11 recurring 9 EUR inferred"]
    assert "changed around the 1st" in line_of["2026-11"].note
    assert line_of["2026-12"].basis == "listed"


def test_a_change_in_a_long_pause_of_the_sync_is_inferred_for_each_first_in_it():
    one = changed("2026-10-20", "2026-12-05")
    assert short(lines(one, "2026-10", "2027-01")) == [
        "2026-10 recurring 8 EUR listed",
        "2026-11 recurring 9 EUR inferred",
        "2026-12 recurring 9 EUR inferred",
        "2027-01 recurring 9 EUR listed",
    ]


def test_a_change_seen_after_the_first_but_made_after_it_waits_a_month():
    one = changed("2026-11-01 00:05", "2026-11-01 06:00")
    assert short(lines(one, "2026-11", "2026-12")) == [
        "2026-11 recurring 8 EUR listed",
        "2026-12 recurring 9 EUR listed",
    ]


def test_a_change_of_other_facts_around_the_first_leaves_the_price_certain():
    one = changed("2026-10-31 20:00", "2026-11-01 02:00", was="8", now="8", setup="3")
    assert short(lines(one, "2026-11")) == ["2026-11 recurring 8 EUR listed"]


def test_the_last_of_several_changes_in_a_month_counts():
    one = possession(
        "2026-09-01",
        price("2026-09-01", "8", until="2026-10-05"),
        price("2026-10-05", "9", not_before="2026-10-05", until="2026-10-20"),
        price("2026-10-20", "7.5", not_before="2026-10-19"),
    )
    assert short(lines(one, "2026-10", "2026-11")) == [
        "2026-10 recurring 8 EUR listed",
        "2026-11 recurring 7.5 EUR listed",
    ]


def test_a_change_cannot_have_come_before_the_version_it_replaces():
    """Seen one by one on the 5th; the last complete list before the 6th was read in October."""
    one = possession(
        "2026-09-01",
        price("2026-09-01", "8", until="2026-11-05"),
        price("2026-11-05", "9", not_before="2026-11-04", until="2026-11-06"),
        price("2026-11-06", "10", not_before="2026-10-31"),
    )
    assert short(lines(one, "2026-11", "2026-12")) == [
        "2026-11 recurring 8 EUR listed",
        "2026-12 recurring 10 EUR listed",
    ]


def test_a_new_currency_starts_with_the_next_month():
    one = changed("2026-10-09", "2026-10-10", now="10", currency="USD")
    october, november, december = lines(one, "2026-10", "2026-12")
    assert short([october, november]) == ["2026-10 recurring 8 EUR listed", "2026-11 recurring 10 USD listed"]
    assert november.note == "The currency changed from EUR to USD."
    assert (october.note, december.note) == ("", "")
    assert lines(one, "2026-11")[0].note == november.note, "also when the month is looked at alone"


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cancelled_number_is_charged_for_the_whole_month_and_then_no_more():
    one = possession("2026-09-01", price("2026-09-01", "15"), last_seen="2026-10-20", gone_by="2026-10-20")
    (line,) = lines(one, "2026-10", "2026-12")
    assert (short([line]), line.note) == (["2026-10 recurring 15 EUR listed"], "")


def test_bought_and_cancelled_in_one_month_costs_set_up_and_first_month():
    quote = price("2026-10-14", "5", setup="2", initial="2.903226", quoted=True)
    one = bought("2026-10-14", quote, last_seen="2026-10-15", gone_by="2026-10-15")
    assert short(lines(one, "2026-10", "2026-12")) == [
        "2026-10 setup 2 EUR quoted",
        "2026-10 initial 2.903226 EUR quoted",
    ]


def test_no_charge_for_a_month_in_which_nobody_saw_the_number():
    one = possession(
        "2026-09-01",
        price("2026-09-01", "15"),
        last_seen="2026-10-31 23:00",
        gone_by="2026-11-01 05:00",
    )
    (line,) = lines(one, "2026-10", "2026-12")
    assert short([line]) == ["2026-10 recurring 15 EUR listed"]
    assert "November 2026 may be billed as well" in line.note


def test_the_gap_of_a_number_that_came_back_is_charged_once_a_month_and_inferred():
    one = possession(
        "2026-08-01",
        price("2026-08-01", "15", setup="3", until="2026-09-20 06:15"),
        price("2026-11-05", "15", setup="3", not_before="2026-09-20 06:15"),
    )
    assert short(lines(one, "2026-09", "2026-12")) == [
        "2026-09 recurring 15 EUR listed",
        "2026-10 recurring 15 EUR inferred",
        "2026-11 recurring 15 EUR inferred",
        "2026-12 recurring 15 EUR listed",
    ]


def test_a_gap_within_one_month_changes_nothing():
    one = possession(
        "2026-08-01",
        price("2026-08-01", "15", until="2026-09-20"),
        price("2026-09-22", "15", not_before="2026-09-20"),
    )
    assert {c.basis for c in lines(one, "2026-08", "2026-12")} == {"listed"}


def test_a_number_bought_again_pays_set_up_again_and_says_so():
    quote = price("2026-10-20", "15", setup="3", initial="5.806452", quoted=True)
    setup, first = lines(bought("2026-10-20", quote, bought_again=True), "2026-10")
    assert (setup.amount, first.amount) == (Decimal(3), Decimal("5.806452"))
    assert "Bought again" in setup.note
    assert "Bought again" in first.note


# ── what is not known ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "one",
    [
        possession("2026-09-01", price("2026-09-01", None, setup=None, currency="")),
        bought("2026-10-02", price("2026-10-02", None, setup=None, currency="", quoted=True)),
    ],
)
def test_an_unknown_price_is_a_line_without_an_amount(one):
    (line,) = lines(one, "2026-10")
    assert (line.amount, line.currency, line.note) == (None, "", NO_PRICE)


def test_a_month_that_no_list_was_read_in_is_inferred():
    one = possession("2026-09-01", price("2026-09-01", "15"), listed_until="2026-10-30")
    october, november = lines(one, "2026-10", "2026-11")
    assert (october.basis, november.basis, november.note) == ("listed", "inferred", NOT_LISTED)


# ── months, zones ────────────────────────────────────────────────────────────────────────────────────────────────


def test_months_begin_at_midnight_of_the_billing_time_zone():
    quote = price("2026-10-31 23:30", "15", initial="15", quoted=True)  # 1 Nov, 00:30 in Zagreb
    one = bought("2026-10-31 23:30", quote)
    assert short(lines(one, "2026-10", "2026-11"))[0] == "2026-10 initial 15 EUR quoted"
    first, second = lines(one, "2026-10", "2026-12", zone="Europe/Zagreb")
    assert short([first, second]) == ["2026-11 initial 15 EUR quoted", "2026-12 recurring 15 EUR listed"]
    assert first.period_start == at("2026-10-31 23:00")
    assert first.period_end == at("2026-11-30 23:00")


def test_a_month_in_which_clocks_change_has_its_own_length():
    (line,) = lines(possession("2026-01-01", price("2026-01-01", "15")), "2026-10", zone="Europe/Zagreb")
    assert (line.period_start, line.period_end) == (at("2026-09-30 22:00"), at("2026-10-31 23:00"))


# ── two months side by side ──────────────────────────────────────────────────────────────────────────────────────


def test_two_months_with_everything_in_them_add_up():
    numbers = [
        bought("2026-10-14", price("2026-10-14", "5", initial="2.903226", quoted=True)),
        possession("2026-09-01", price("2026-09-01", "15"), last_seen="2026-10-20", gone_by="2026-10-20"),
        changed("2026-10-24", "2026-10-25"),
        bought("2026-11-16", price("2026-11-16", "10", setup="3", initial="5.000000", quoted=True)),
    ]
    total = {
        month: Totals.of((c.currency, c.amount) for one in numbers for c in lines(one, month))
        for month in ("2026-10", "2026-11")
    }
    assert total["2026-10"] == Totals({"EUR": Decimal("25.903226")})
    assert total["2026-11"] == Totals({"EUR": Decimal("22.000000")})
    assert (total["2026-11"] - total["2026-10"])["EUR"] == Decimal("-3.903226")
