import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.catalogue.listing import PriceListing
from planner.cli.instances import WORKLOAD_CLASSES
from planner.cli.instances import command as instances
from planner.cli.prices import command as prices
from planner.documents import read_document
from planner.errors import CatalogueError
from planner.performance import hardware
from planner.performance.listing import InstanceListing


def list_instances(*arguments: str) -> Result:
    return CliRunner().invoke(instances, list(arguments))


def list_prices(*arguments: str) -> Result:
    return CliRunner().invoke(prices, list(arguments))


def test_all_types_are_listed_with_price_and_speed() -> None:
    shown = list_instances()
    assert shown.exit_code == 0
    assert sum(line.startswith("ml.") for line in shown.stdout.splitlines()) == 116
    row = next(line for line in shown.stdout.splitlines() if line.startswith("ml.m5.xlarge"))
    assert row.split()[:5] == ["ml.m5.xlarge", "4", "16", "0.23", "2026-09"]


def test_nothing_is_cut_off_at_eighty_columns() -> None:
    assert "…" not in list_instances().stdout
    assert "…" not in list_prices("--all-regions", "--instance-type", "ml.m5.xlarge").stdout


def test_a_derived_price_is_marked() -> None:
    lines = list_instances("--region", "eu-west-1", "--instance-type", "c7i.xlarge").stdout.splitlines()
    assert "2025-04*" in next(line for line in lines if line.startswith("ml.c7i.xlarge"))


def test_the_workload_class_changes_the_speeds() -> None:
    scalar, int8 = (
        list_instances("--instance-type", "m7i.xlarge", "--workload-class", name).stdout
        for name in ("scalar", "int8_dnn")
    )
    assert scalar.splitlines()[1] != int8.splitlines()[1]


def test_the_command_offers_the_classes_that_the_model_has() -> None:
    assert set(WORKLOAD_CLASSES) == set(hardware.WORKLOAD_CLASSES)


def test_json_is_the_document_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    shown = list_instances("--instance-type", "g5.*", "--format", "json", "-o", str(path))
    assert json.loads(shown.stdout)["kind"] == "instances"
    listing = read_document(path, InstanceListing)
    assert len(listing.instances) == 8
    first = listing.instances[0]
    assert first.instance.accelerator is not None
    assert first.price is not None
    assert first.price.source
    assert set(first.thread_speed) == set(first.instance_speed) == set(WORKLOAD_CLASSES)


@pytest.mark.parametrize("arguments", [("--region", "eu-wst-1"), ("--instance-type", "z9.*"), ("--relative-to", "x")])
def test_an_unknown_region_or_type_is_refused(arguments: tuple[str, str]) -> None:
    assert isinstance(list_instances(*arguments).exception, CatalogueError)


def test_a_type_not_offered_in_the_region_has_no_price() -> None:
    lines = list_instances("--region", "eu-south-2", "--instance-type", "trn1.*").stdout.splitlines()
    assert lines[1].split()[3:5] == ["-", "-"]


def test_prices_of_a_region_are_listed_cheapest_first_with_their_source() -> None:
    shown = list_prices("--region", "eu-west-1", "--instance-type", "m5.*")
    rows = [line.split() for line in shown.stdout.splitlines() if line.startswith("eu-west-1")]
    assert len(rows) == 6
    assert [float(row[2]) for row in rows] == sorted(float(row[2]) for row in rows)
    assert rows[1][:5] == ["eu-west-1", "ml.m5.xlarge", "0.2570", "observed", "2025-12-05"]
    assert "Studio-Notebook" in shown.stdout


def test_prices_in_every_region_and_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    shown = list_prices("--all-regions", "--instance-type", "ml.m5.xlarge", "-o", str(path))
    assert shown.exit_code == 0
    assert "No price known" in shown.stdout
    listing = read_document(path, PriceListing)
    assert len(listing.prices) + len(listing.not_priced) == 34


def test_all_regions_and_a_region_exclude_each_other() -> None:
    assert list_prices("--all-regions", "--region", "us-east-1").exit_code == 2
