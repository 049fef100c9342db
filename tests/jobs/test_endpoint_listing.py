"""Lists, page by page."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from planner.jobs.endpoint import Execution
from planner.jobs.endpoint.paging import SortKey, page
from tests.jobs.endpoints import buckets, client_of, create_model, request, serving, wait_for

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

NAMES = [f"{'even' if n % 2 == 0 else 'odd'}-{n:02}" for n in range(25)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SageMakerClient"]:
    """A client of an endpoint with 25 jobs, of which even-00 is stopped and the others wait for instances."""
    storage = buckets(tmp_path_factory.mktemp("buckets"))
    with serving(Execution(storage=storage, startup_delay_s=3600)) as port:
        client = client_of(port)
        create_model(client)
        for name in NAMES:
            client.create_transform_job(**request(name))
        client.stop_transform_job(TransformJobName="even-00")
        wait_for(client, "even-00")
        yield client


def _names(client: "SageMakerClient", **asked: Any) -> list[str]:
    pages = client.get_paginator("list_transform_jobs").paginate(**asked)
    return [job["TransformJobName"] for found in pages for job in found["TransformJobSummaries"]]


def test_a_page_has_ten_jobs_the_latest_first(client: "SageMakerClient") -> None:
    found = client.list_transform_jobs()
    assert [job["TransformJobName"] for job in found["TransformJobSummaries"]] == NAMES[:-11:-1]
    assert found["NextToken"]


@pytest.mark.parametrize("size", [1, 7, 25, 100])
def test_pages_of_any_size_together_are_the_whole_list(client: "SageMakerClient", size: int) -> None:
    assert _names(client, MaxResults=size) == NAMES[::-1]
    assert _names(client, MaxResults=size, SortBy="Name", SortOrder="Ascending") == sorted(NAMES)


def test_filters_choose_by_name_status_and_times(client: "SageMakerClient") -> None:
    assert _names(client, NameContains="odd", SortOrder="Ascending") == [name for name in NAMES if "odd" in name]
    assert _names(client, StatusEquals="Stopped") == ["even-00"]
    assert _names(client, SortBy="Status")[0] == "even-00"
    created = client.describe_transform_job(TransformJobName=NAMES[12])["CreationTime"]
    millisecond = timedelta(milliseconds=1)
    assert NAMES[12] in _names(
        client, CreationTimeAfter=created - millisecond, CreationTimeBefore=created + millisecond
    )
    assert set(_names(client, CreationTimeBefore=created - millisecond)) <= set(NAMES[:12])
    assert _names(client, LastModifiedTimeAfter=created + timedelta(hours=1)) == []


def test_a_summary_tells_when_a_job_has_ended(client: "SageMakerClient") -> None:
    (summary,) = client.list_transform_jobs(StatusEquals="Stopped")["TransformJobSummaries"]
    assert summary["TransformEndTime"] == summary["LastModifiedTime"] >= summary["CreationTime"]


def test_a_token_of_another_question_is_refused(client: "SageMakerClient") -> None:
    token = client.list_transform_jobs()["NextToken"]
    wrongs: list[Any] = [{"NextToken": token, "NameContains": "odd"}, {"NextToken": "bm9uZQ=="}, {"NextToken": "é"}]
    for wrong in wrongs:
        with pytest.raises(ClientError, match="The token is invalid"):
            client.list_transform_jobs(**wrong)
    with pytest.raises(ClientError, match="less than or equal to 100"):
        client.list_transform_jobs(MaxResults=101)


def test_models_are_described_and_listed(tmp_path: Path) -> None:
    with serving(Execution(storage=buckets(tmp_path))) as port:
        client = client_of(port)
        for name in ("b", "a", "c"):
            create_model(client, name, Environment={"KEY": name})
        described = client.describe_model(ModelName="a")
        assert described["PrimaryContainer"]["Environment"] == {"KEY": "a"}
        pages = client.get_paginator("list_models").paginate(
            SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2}
        )
        listed = [model for found in pages for model in found["Models"]]
    assert [model["ModelName"] for model in listed] == ["c", "b", "a"]
    assert (listed[2]["ModelArn"], listed[2]["CreationTime"]) == (described["ModelArn"], described["CreationTime"])


@given(
    names=st.sets(st.integers(0, 40), min_size=1),
    size=st.integers(1, 10),
    ascending=st.booleans(),
    late=st.sets(st.integers(0, 40)),
)
def test_items_that_come_between_pages_neither_hide_nor_repeat_others(
    names: set[int], size: int, ascending: bool, late: set[int]
) -> None:
    def key(number: int) -> SortKey:
        return number // 3, f"{number:02}"

    seen: list[int] = []
    items, token = sorted(names), None
    while True:
        asked = {"MaxResults": size, "SortOrder": "Ascending" if ascending else "Descending"}
        asked |= {} if token is None else {"NextToken": token}
        found = page(items, asked, sort_keys={"CreationTime": key}, shown=lambda number: number)
        seen += found.items
        token = found.next_token
        if token is None:
            break
        items = sorted(names | late)
    assert len(seen) == len(set(seen))
    assert names <= set(seen)
    assert seen == sorted(seen, reverse=not ascending)
