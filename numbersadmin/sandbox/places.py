"""The countries of the imitated provider: ranges of valid numbers, and what is charged there."""

from typing import NamedTuple


class Place(NamedTuple):
    """One country: how many parts of the stock it gets, its number ranges and what it charges in."""

    country: str
    name: str
    weight: int
    prefixes: tuple[str, ...]
    digits: int  # that follow a prefix
    currency: str


PLACES = (
    Place("GB", "United Kingdom", 12, ("447400", "447401", "447860", "447480", "442071", "442079"), 6, "GBP"),
    Place("DE", "Germany", 9, ("491511", "491512", "491520", "491570", "491590"), 7, "EUR"),
    Place("RO", "Romania", 9, ("40371", "40213", "40312"), 6, "EUR"),
    Place(
        "US", "United States", 8, ("14152", "13122", "16462", "13052", "12062", "12128", "16175"), 6, "USD"
    ),
    Place("FR", "France", 7, ("33612", "33635", "33644", "33755", "33142"), 6, "EUR"),
    Place("ES", "Spain", 6, ("34612", "34622", "34644", "34699", "34910"), 6, "EUR"),
    Place("IT", "Italy", 6, ("39320", "39328", "39333", "39347"), 7, "EUR"),
    Place("NL", "Netherlands", 5, ("31610", "31611", "31624", "31645"), 6, "EUR"),
    Place("PL", "Poland", 5, ("48500", "48511", "48601", "48662", "48725"), 6, "EUR"),
    Place("JP", "Japan", 5, ("817010", "818010", "819010", "815010"), 6, "JPY"),
    Place("KW", "Kuwait", 3, ("965500", "965501", "965600", "965660", "965990"), 5, "KWD"),
    Place("AT", "Austria", 3, ("43660", "43664", "43676", "43699"), 7, "EUR"),
    Place("BE", "Belgium", 3, ("32470", "32475", "32485"), 6, "EUR"),
    Place("SE", "Sweden", 3, ("46700", "46730", "46760"), 6, "EUR"),
    Place("NO", "Norway", 3, ("47400", "47412", "47450", "47900", "47916"), 5, "EUR"),
    Place("FI", "Finland", 2, ("358401", "358440", "358503"), 6, "EUR"),
    Place("CH", "Switzerland", 3, ("41760", "41780", "41796"), 6, "EUR"),
    Place("PT", "Portugal", 2, ("351911", "351921", "351961"), 6, "EUR"),
    Place("IE", "Ireland", 2, ("353851", "353861", "353872"), 6, "EUR"),
    Place("CZ", "Czechia", 2, ("420601", "420720", "420777"), 6, "EUR"),
    Place("HR", "Croatia", 3, ("38591", "38595", "38598"), 7, "EUR"),
    Place("AU", "Australia", 3, ("61400", "61412", "61480"), 6, "USD"),
    Place("BR", "Brazil", 3, ("551199", "552198", "553199"), 7, "USD"),
    Place("IN", "India", 3, ("919810", "919820", "919900"), 6, "USD"),
    Place("RU", "Russian Federation", 2, ("7903", "7916", "7925"), 7, "EUR"),
    Place("ZA", "South Africa", 2, ("2771", "2772", "2783"), 7, "USD"),
    Place("SG", "Singapore", 2, ("65811", "65820", "65911", "65932"), 5, "USD"),
)
NAMES = {place.country: place.name for place in PLACES}

# (price per month, set-up price) as the provider would write them
PRICES: dict[str, tuple[tuple[str, str], ...]] = {
    "EUR": (
        ("1", "0"), ("1.15", "0"), ("2.5", "0"), ("5", "0"), ("5", "2"), ("8", "0"), ("9.9", "4.95"), ("15", "0"),
        ("29.34", "10.06"), ("47.5", "25"),
    ),
    "GBP": (("0.9", "0"), ("3", "0"), ("3.75", "1.5"), ("6", "0"), ("12", "10")),
    "USD": (("1", "0"), ("1.15", "1"), ("2", "0"), ("4.5", "0"), ("25", "15"), ("3.333333", "0")),
    "JPY": (("450", "0"), ("900", "500"), ("1800", "0"), ("3200", "3000")),
    "KWD": (("1.25", "0"), ("2.375", "0.5"), ("6.005", "0"), ("11.5", "3.125")),
}  # fmt: skip
# a short code costs this many times a long number
SHORT_CODE_FACTOR = 40
