import itertools
import re

import pytest

from planner.catalogue import Price, instance_types, price, prices_in, regions
from planner.errors import CatalogueError


def all_prices() -> list[Price]:
    return [each for region in regions() for each in prices_in(region)]


@pytest.mark.parametrize(
    ("name", "region", "usd_per_hour", "basis"),
    [
        ("ml.m5.xlarge", "us-east-1", 0.23, "observed"),
        ("ml.m5.xlarge", "eu-west-1", 0.257, "observed"),
        ("ml.c5.xlarge", "us-east-1", 0.204, "observed"),
        ("ml.g4dn.xlarge", "eu-west-3", 0.861, "observed"),
        ("ml.m5.xlarge", "ap-southeast-4", 0.288, "derived"),
        ("ml.c4.xlarge", "us-east-1", 0.239, "derived"),
    ],
)
def test_known_prices(name: str, region: str, usd_per_hour: float, basis: str) -> None:
    found = price(name, region)
    assert found is not None
    assert found.usd_per_hour == pytest.approx(usd_per_hour, abs=5e-4)
    assert found.basis == basis


def test_every_type_has_a_price_in_us_east_1_and_most_are_observed() -> None:
    found = prices_in("us-east-1")
    assert {each.instance_type for each in found} == {kind.name for kind in instance_types()}
    assert sum(each.basis == "observed" for each in found) == 106


def test_every_price_is_sane_dated_and_says_where_it_was_seen() -> None:
    found = all_prices()
    assert len(found) == 2543
    for each in found:
        assert 0.05 < each.usd_per_hour < 60, each
        assert len(each.source) > 20, each
        assert each.date == "undated" or re.fullmatch(r"202[0-9](-[01][0-9](-[0-3][0-9])?)?", each.date), each
        assert each.source.startswith("derived: ") == (each.basis == "derived"), each


def test_within_a_family_and_region_a_larger_size_costs_more() -> None:
    vcpus = {kind.name: (kind.family, kind.vcpus) for kind in instance_types() if not kind.has_accelerator}
    for region in regions():
        ladder = sorted((vcpus[p.instance_type], p.usd_per_hour) for p in prices_in(region) if p.instance_type in vcpus)
        for (one, cheaper), (other, dearer) in itertools.pairwise(ladder):
            if one[0] == other[0] and one[1] < other[1]:
                assert cheaper < dearer, (region, one, other)


def test_a_type_that_is_not_offered_in_a_region_has_no_price() -> None:
    assert price("ml.trn1.32xlarge", "eu-south-2") is None


def test_an_unknown_region_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(CatalogueError, match=r"'eu-wst-1'; nearest: eu-west-1"):
        price("ml.m5.xlarge", "eu-wst-1")


def test_an_unknown_type_is_refused_rather_than_unpriced() -> None:
    with pytest.raises(CatalogueError, match=r"m5\.huge"):
        price("ml.m5.huge", "us-east-1")


def test_regions_are_known_regions_in_order() -> None:
    assert list(regions()) == sorted(regions())
    assert {"us-east-1", "eu-west-1", "us-gov-west-1"} <= set(regions())
    assert len(regions()) == 34
