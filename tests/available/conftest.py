"""A shop of numbers at the sandbox, and the search page read back as a person or a program would."""

import html
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber
from numbersadmin.numbers.services import Opening, open_numbers
from numbersadmin.provider.schema import Price, ProviderNumber

PAGE_SIZE = 10


@pytest.fixture(autouse=True)
def clock(now: Any) -> Iterator[None]:
    """Our clock stands where the provider's does."""
    with time_machine.travel(now, tick=False):
        yield


def number(digits: str, country: str = "RU", price: str = "15", **more: Any) -> dict[str, Any]:
    """A number for sale; prices in EUR unless said otherwise."""
    known = {"number": digits, "country": country, "type": "VIRTUAL_LONG_NUMBER", "capabilities": ["SMS"]}
    priced = {
        "pricePerMonth": price,
        "setupPrice": more.pop("setup", "0"),
        "currency": more.pop("currency", "EUR"),
    }
    return known | {"numberKey": f"K{country}{digits}", "shared": False, "price": priced} | more


@pytest.fixture
def for_sale() -> Callable[..., dict[str, Any]]:
    """Describe a number for sale."""
    return number


@pytest.fixture
def shop(sandbox: Any, settings: Any) -> Any:
    """The sandbox with 25 Russian numbers and five others, in pages of 10."""
    settings.LIST_PAGE_SIZE = PAGE_SIZE
    russian = [number(f"790295555{n:02}", price=str(10 + n)) for n in range(25)]
    others = [
        number("447860041117", "GB", "5", capabilities=["SMS", "VOICE"], setup="2.5"),
        number("442071234567", "GB", "4.5", capabilities=["VOICE"], currency="GBP"),
        number("60444", "GB", "96", type="SHORT_CODE"),
        number("60444", "DE", "110", type="SHORT_CODE", shared=True),
        number("40371700053", "RO", "12", capabilities=["MMS", "SMS"]),
    ]
    sandbox.stock(available=[*russian, *others])
    return sandbox


@pytest.fixture
def own_one(db: None, now: Any) -> Callable[[str, str], OwnedNumber]:
    """Make a number ours."""

    def make(digits: str, country: str) -> OwnedNumber:
        price = Price(Decimal(5), Decimal(0), None, "EUR", "")
        facts = ProviderNumber(f"OURS{digits}", digits, country, "", ("SMS",), False, price, "", None, (), {})
        opening = Opening(facts=facts, acquired_to=now, basis=AcquiredBasis.UNKNOWN, verb="number.appeared")
        return open_numbers(openings=[opening], actor=None, now=now, source="sync", source_id=None)[0]

    return make


class SearchPage:
    """What an answer of the search page says."""

    def __init__(self, answer: Any) -> None:
        assert answer.status_code == 200, answer.status_code
        self.answer, self.html = answer, answer.content.decode()
        self.text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.html)).split())
        self.numbers = re.findall(r'<tr data-number="([^"]+)"', self.html)
        self.next = self.link(r'rel="next"')
        self.more = self.link(r"data-more=")

    def link(self, mark: str) -> str:
        """The address of the link that holds the mark."""
        found = [tag for tag in re.findall(r"<a [^>]*>", self.html) if re.search(mark, tag)]
        return html.unescape(re.search(r'href="([^"]*)"', found[0])[1]) if found else ""

    def row(self, digits: str) -> str:
        """The row of a number."""
        return re.search(rf'<tr data-number="{digits}".*?</tr>', self.html, re.S)[0]

    def boxes(self) -> dict[str, str]:
        """The tick boxes: value -> the whole tag."""
        tags = re.findall(r'<input type="checkbox" name="offer"[^>]*>', self.html)
        return {re.search(r'value="([^"]*)"', tag)[1]: tag for tag in tags}

    def ticked(self) -> list[str]:
        """What a browser would send as `offer` when the choosing form is sent."""
        form = re.search(r'<form id="choose".*?</form>', self.html, re.S)
        if not form:
            return []
        outside_noscript = re.sub(r"<noscript>.*?</noscript>", "", form[0], flags=re.S)
        tags = re.findall(r'<input type="(?:checkbox|hidden)" name="offer"[^>]*>', outside_noscript)
        sent = [tag for tag in tags if 'type="hidden"' in tag or re.search(r"\bchecked\b", tag)]
        return [re.search(r'value="([^"]*)"', tag)[1] for tag in sent]


@pytest.fixture
def look(signed_in: Callable[[str], Any]) -> Callable[..., SearchPage]:
    """Open the page: `look("country=RU")`, as somebody else, or as htmx asks for it."""
    clients: dict[str, Any] = {}

    def open_page(query: str = "", person: str = "manager", live: bool = False) -> SearchPage:
        client = clients.setdefault(person, signed_in(person)) if person not in clients else clients[person]
        query = query.removeprefix("/available/").removeprefix("?")
        headers = {"HX-Request": "true"} if live else {}
        return SearchPage(client.get(f"/available/?{query}", headers=headers))

    return open_page


@pytest.fixture
def address() -> Callable[[str], dict[str, list[str]]]:
    """The parameters of an address."""
    return lambda url: parse_qs(urlsplit(url).query)
