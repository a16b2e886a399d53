"""Months: how they are written, and where they begin in a time zone whose clocks change."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin.costs.months import Calendar, Month

ZONES = ["UTC", "Europe/Zagreb", "America/St_Johns", "Africa/Cairo", "Pacific/Apia", "Asia/Amman"]
moments = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@pytest.mark.parametrize("text", ["2026-10", "1970-01", "9998-12"])
def test_a_month_is_written_as_it_is_read(text):
    assert str(Month.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-00",
        "2026-13",
        "2026-1",
        "26-10",
        "2026-10 ",
        "2026/10",
        "9999-01",
        "1969-12",
        "²026-10",
    ],
)
def test_anything_else_is_no_month(text):
    with pytest.raises(ValueError, match="is no month"):
        Month.parse(text)


def test_neighbours_days_and_names():
    month = Month.parse("2026-12")
    assert (str(month.previous), str(month.next), str(month.plus(-24))) == ("2026-11", "2027-01", "2024-12")
    assert (month.days, month.first_day, month.last_day) == (31, date(2026, 12, 1), date(2026, 12, 31))
    assert (month.label, month.name, month.short) == ("December 2026", "December", "Dec")
    assert Month.parse("2028-02").days == 29


@given(moments, st.sampled_from(ZONES))
def test_a_moment_lies_within_the_limits_of_its_month(moment, zone):
    calendar = Calendar(zone)
    month = calendar.month(moment)
    assert calendar.start(month) <= moment < calendar.end(month)
    assert calendar.start(month).utcoffset() == timedelta()


@pytest.mark.parametrize("zone", ZONES)
def test_the_moment_a_month_begins_belongs_to_it_and_the_one_before_does_not(zone):
    calendar = Calendar(zone)
    for later in range(12 * 30):
        month = Month.parse("2005-01").plus(later)
        start = calendar.start(month)
        assert calendar.month(start) == month
        assert calendar.month(start - timedelta(microseconds=1)) == month.previous


def test_clocks_set_back_over_midnight_do_not_bring_a_month_back():
    """St. John's, 1 November 2009: at 00:01 it was 31 October 23:01 once more."""
    calendar = Calendar("America/St_Johns")
    again = datetime(2009, 11, 1, 2, 40, tzinfo=UTC)
    assert str(again.astimezone(calendar.zone).date()) == "2009-10-31"
    assert str(calendar.month(again)) == "2009-11"


def test_a_year_of_months_joins_without_a_gap():
    calendar = Calendar("Europe/Zagreb")
    months = [Month.parse("2026-01").plus(later) for later in range(12)]
    length = sum((calendar.end(month) - calendar.start(month) for month in months), timedelta())
    assert length == timedelta(days=365)
    assert calendar.end(months[2]) - calendar.start(months[2]) == timedelta(days=31, hours=-1)
