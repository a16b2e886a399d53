"""The numbers behind a bar: those that are computed are all that differ, and each way to find them is needed."""

import pytest

from numbersadmin.costs import differing
from numbersadmin.costs.differing import differences
from numbersadmin.numbers.models import OwnedNumber
from tests.costs.histories import FIRST, an_account, differences_of_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(story, cast, request):
    """An account with a history of its own for each number."""
    return an_account(story, cast, request.param)


MONTHS = [FIRST.plus(later) for later in range(7)]


@pytest.mark.parametrize("account", range(12), indirect=True)
def test_no_number_but_those_that_may_differ_does(account):
    asked = 0
    for month in MONTHS:
        found, expected = list(differences(account, month)), differences_of_all(account, month)
        assert sorted(found, key=repr) == sorted(expected, key=repr)
        asked += len(differing.may_differ(account, month))
    assert asked < OwnedNumber.objects.count() * len(MONTHS) * 0.9


WAYS = "came_or_went repriced not_posted not_as_priced posted_otherwise not_only_rent".split()


@pytest.mark.parametrize("account", [7], indirect=True)
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_differ_is_needed(account, way, monkeypatch):
    monkeypatch.setattr(differing, way, lambda *_: ())
    lost = [
        month
        for month in MONTHS
        if len(list(differences(account, month))) < len(differences_of_all(account, month))
    ]
    assert lost
