"""Facts are written the same way everywhere, and an unknown one never looks like a known one."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from numbersadmin import formats
from numbersadmin.formats import (
    ago,
    bare_money,
    bare_signed_money,
    capability_label,
    country_name,
    e164,
    flag,
    highlight_digits,
    initials,
    lasting,
    look,
    micro,
    money,
    money_text,
    phone_intl,
    phone_national,
    section,
    shade,
    signed_money,
    type_name,
    waited,
    when,
)

NOW = datetime(2026, 10, 13, 12, 32, 10, tzinfo=UTC)
digit_strings = st.text("0123456789", min_size=1, max_size=17)


def plain(shown: str) -> str:
    """What a person sees of a cell: tags gone, no-break spaces as spaces."""
    return re.sub(r"<[^>]+>", "", shown).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("79029555551", "+7 902 955 55 51"),
        ("447860041117", "+44 7860 041117"),
        ("12025550147", "+1 202 555 0147"),
        ("390236618300", "+39 02 3661 8300"),
        ("999123456789", "+999123456789"),  # no such country code
        ("4912345678901234567", "+4912345678901234567"),  # too long for any plan
        ("38383", "38383"),  # a short code, though 383 is Kosovo
        ("4479", "4479"),
        ("InfoSMS", "InfoSMS"),
        ("", ""),
        (None, ""),
    ],
)
def test_numbers_are_grouped_where_the_plan_is_known(number, shown):
    assert plain(phone_intl(number)) == shown


def test_groups_do_not_break_over_lines():
    assert " " not in phone_intl("79029555551")
    assert " " not in phone_national("79029555551")


@given(digit_strings)
def test_grouping_never_changes_a_digit(number):
    assert re.sub(r"\D", "", phone_intl(number)) == number


@pytest.mark.parametrize(
    ("number", "copied"), [("79029555551", "+79029555551"), ("38383", "38383"), ("InfoSMS", "InfoSMS")]
)
def test_what_the_copy_button_copies(number, copied):
    assert e164(number) == copied


def test_national_form_or_the_international_one():
    assert plain(phone_national("447860041117")) == "07860 041117"
    assert phone_national("999123456789") == "+999123456789"


@pytest.mark.parametrize(
    ("number", "digits", "match", "shown"),
    [
        ("79029555551", "555", "contains", "+7 902 9<mark>55 5</mark>5 51"),
        ("79029555551", "79", "starts", "+<mark>7 9</mark>02 955 55 51"),
        ("79029555551", "551", "ends", "+7 902 955 5<mark>5 51</mark>"),
        ("79029555551", "902", "starts", "+7 902 955 55 51"),
        ("79029555551", "902", "ends", "+7 902 955 55 51"),
        ("79029555551", "", "contains", "+7 902 955 55 51"),
        ("79029555551", "+7 (902)", "contains", "+<mark>7 902</mark> 955 55 51"),
        ("38383", "83", "contains", "3<mark>83</mark><mark>83</mark>"),
        ("38383", "38383", "ends", "<mark>38383</mark>"),
    ],
)
def test_the_match_is_marked_over_the_groups(number, digits, match, shown):
    assert highlight_digits(number, digits, match).replace("\u00a0", " ") == shown


@given(digit_strings, digit_strings, st.sampled_from(["contains", "starts", "ends"]))
def test_marking_changes_nothing_but_the_marks(number, digits, match):
    shown = highlight_digits(number, digits, match)
    assert plain(shown) == plain(phone_intl(number))
    for marked in re.findall("<mark>(.*?)</mark>", shown):
        assert re.sub(r"\D", "", marked) == digits


def test_a_name_in_place_of_a_number_is_escaped():
    assert highlight_digits("<b>1", "1") == "&lt;b&gt;<mark>1</mark>"


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1234.5", "EUR", "1,234.50 EUR"),
        ("9.193549", "EUR", "9.19 EUR"),
        ("0.005", "EUR", "0.01 EUR"),
        ("2.345", "EUR", "2.35 EUR"),
        ("1500", "JPY", "1,500 JPY"),
        ("9.5", "JPY", "10 JPY"),
        ("4.5", "KWD", "4.500 KWD"),
        ("-96", "EUR", "−96.00 EUR"),
        ("-0.001", "EUR", "0.00 EUR"),
        ("0", "EUR", "0.00 EUR"),
    ],
)
def test_money_is_rounded_once_to_the_units_of_its_currency(amount, currency, shown):
    assert plain(money(Decimal(amount), currency)) == shown


def test_the_full_amount_is_on_hover_only_where_it_differs():
    assert 'title="9.193549 EUR"' in money(Decimal("9.193549"), "EUR")
    assert "title" not in money(Decimal("15.000000"), "EUR")


def test_zero_is_grey_and_unknown_is_no_zero():
    assert "zero" in money(Decimal(0), "EUR")
    for nothing in (money(None, "EUR"), money("", "EUR"), money(Decimal(1), ""), signed_money(None, "EUR")):
        assert '<span class="vh">unknown</span>' in nothing
        assert "0" not in plain(nothing)
    assert money_text(None, "EUR") == "unknown"


def test_a_float_is_not_taken_for_money():
    assert "unknown" in money(9.19, "EUR")


@pytest.mark.parametrize(
    ("amount", "shown"), [("45", "+45.00 EUR"), ("-96", "−96.00 EUR"), ("0", "0.00 EUR")]
)
def test_a_change_has_its_sign(amount, shown):
    assert plain(signed_money(Decimal(amount), "EUR")) == shown


def test_the_code_moves_to_the_head_of_a_table_of_one_currency():
    assert plain(bare_money(Decimal("1234.5"), "EUR")) == "1,234.50"
    assert plain(bare_signed_money(Decimal("1.94"), "EUR")) == "+1.94"


def test_money_in_a_sentence_and_for_the_script():
    assert plain(money_text(Decimal("15"), "EUR")) == "15.00 EUR"
    assert micro(Decimal("9.193549")) == "9193549"
    assert micro(None) == ""


def test_a_currency_is_escaped():
    assert "<script" not in money(Decimal(1), "<script>")
    assert "<script" not in money(Decimal("1.001"), '"><script>')


@pytest.mark.parametrize(
    ("code", "name"), [("DE", "Germany"), ("US", "United States"), ("RU", "Russia"), ("ZZ", "ZZ"), ("", "")]
)
def test_countries_have_names_or_keep_their_code(code, name):
    assert country_name(code) == name


def test_a_flag_is_decoration_and_may_be_missing():
    assert 'alt=""' in flag("DE")
    assert flag("ZZ") == flag("") == flag(None) == flag("../app") == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [("VIRTUAL_LONG_NUMBER", "Virtual long number"), ("SOMETHING_NEW", "Something new"), ("", "")],
)
def test_types_we_know_and_types_we_do_not(value, shown):
    assert type_name(value) == shown


def test_capabilities_we_know_and_those_we_do_not():
    assert [capability_label(one) for one in ("SMS", "VOICE", "FAX_IN")] == ["SMS", "Voice", "Fax in"]


def test_people_have_initials_and_a_lasting_colour():
    assert [initials(name) for name in ("Sales Office", "manager", "")] == ["SO", "MA", ""]
    assert shade("manager") == shade("manager") in {"a1", "a2", "a3", "a4"}


def test_states_have_words_by_what_they_are_of():
    assert look("done", "purchase").text == "Bought"
    assert look("done", "cancel").text == "Cancelled"
    assert look("failed", "run").text == "Failed"
    assert look("never_seen", "run").text == "Never seen"


@pytest.mark.parametrize(
    "state", "pending approved executing done failed unknown rejected withdrawn expired".split()
)
@pytest.mark.parametrize("kind", ["purchase", "cancel"])
def test_every_state_of_an_item_has_its_own_words(kind, state):
    assert state in formats.LOOKS[kind]


@pytest.mark.parametrize(
    ("path", "entry"), [("/", "overview"), ("/orders/12/", "orders"), ("orders", "orders"), ("", "overview")]
)
def test_the_menu_entry_of_a_path(path, entry):
    assert section(path) == entry


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ("", "13 Oct 2026, 14:32"),
        ("date", "13 Oct 2026"),
        ("clock", "14:32"),
        ("clock_zone", "14:32 CEST"),
        ("seconds", "14:32:10"),
        ("full", "13 Oct 2026, 14:32 CEST"),
        ("long_day", "Tuesday 13 October 2026"),
        ("month", "October 2026"),
        ("month_only", "October"),
    ],
)
def test_times_are_in_the_persons_zone(style, shown):
    with timezone.override("Europe/Zagreb"):
        assert when(NOW, style) == shown


def test_a_date_has_no_clock_and_nothing_is_a_dash():
    assert when(date(2026, 10, 3)) == when(date(2026, 10, 3), "full") == "3 Oct 2026"
    assert when(None) == when("") == "–"


def test_a_zone_without_letters_says_its_distance():
    with timezone.override("Asia/Dubai"):
        assert when(NOW, "clock_zone") == "16:32 UTC+04"


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=26), "26 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(hours=24), "12 Oct 2026"),
        (timedelta(seconds=-40), "in 40 s"),
    ],
)
def test_relative_only_under_a_day(before, shown):
    with timezone.override("Europe/Zagreb"):
        assert ago(NOW - before, NOW) == shown


def test_without_a_now_the_time_itself_is_shown():
    with timezone.override("UTC"):
        assert ago(NOW, None) == "13 Oct 2026, 12:32"


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (3.14, "3.1 s"),
        (30, "30 s"),
        (timedelta(minutes=26), "26 min"),
        (timedelta(hours=22), "22 h"),
        (timedelta(days=4), "4 days"),
        (None, "–"),
    ],
)
def test_lengths_of_time(length, shown):
    assert lasting(length) == shown


def test_waiting_is_a_length_of_time():
    assert waited(NOW - timedelta(hours=3), NOW) == "3 h"


def test_the_filters_are_there_without_loading_them():
    page = Template('{{ amount|money:"EUR" }} {% icon "phone" %} {% flag "DE" %}{{ missing|money:"EUR" }}')
    shown = page.render(Context({"amount": Decimal(15)}))
    assert "15.00" in shown
    assert "icons.svg#phone" in shown
    assert "unknown" in shown
