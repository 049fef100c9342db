"""S3 as folders, and as a server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from planner.errors import InputMissingError, OutputError, PlannerError, RequestRejectedError
from planner.jobs.endpoint import Execution, ImageRule, StorageSettings
from planner.jobs.endpoint.places import Place, manifest_entries, output_place, place_of, relative_key
from planner.jobs.endpoint.storage import BucketFolders, S3Endpoint, Storage
from tests.jobs.endpoints import client_of, create_model, request, serving, test_server, wait_for, write_archive

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """moto's S3 server."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url: str) -> Iterator["S3Client"]:
    """A client of that server, where the bucket "bucket" is empty."""
    client = boto3.client(
        "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    client.create_bucket(Bucket="bucket")
    yield client
    for found in client.list_objects_v2(Bucket="bucket").get("Contents", ()):
        client.delete_object(Bucket="bucket", Key=found["Key"])
    client.delete_bucket(Bucket="bucket")


@pytest.fixture(params=["folders", "server"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each of the two storages, with an empty bucket "bucket"."""
    if request.param == "folders":
        (tmp_path / "buckets" / "bucket").mkdir(parents=True)
        return BucketFolders(tmp_path / "buckets")
    request.getfixturevalue("s3")
    return S3Endpoint(request.getfixturevalue("s3_url"))


def _put(storage: Storage, folder: Path, key: str, content: bytes) -> None:
    (folder / "file").write_bytes(content)
    storage.store(folder / "file", Place("bucket", key))


def test_what_was_stored_is_listed_in_binary_order_and_fetched(storage: Storage, tmp_path: Path) -> None:
    keys = ["in/é", "in/b/1", "in/a", "in-old/a", "in/.c", "other"]
    for key in keys:
        _put(storage, tmp_path, key, key.encode())
    assert storage.keys(Place("bucket", "in/")) == ["in/.c", "in/a", "in/b/1", "in/é"]
    assert storage.keys(Place("bucket", "in")) == ["in-old/a", "in/.c", "in/a", "in/b/1", "in/é"]
    assert storage.keys(Place("bucket", "")) == sorted(keys, key=str.encode)
    assert storage.keys(Place("bucket", "none/")) == []
    storage.fetch(Place("bucket", "in/b/1"), tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"in/b/1"
    assert storage.has(Place("bucket", "in/b/1"))
    assert not storage.has(Place("bucket", "in/b"))
    assert storage.has_bucket("bucket")
    assert not storage.has_bucket("nobucket")


def test_what_is_missing_is_named(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="s3://bucket/gone"):
        storage.fetch(Place("bucket", "gone"), tmp_path / "fetched")


def test_a_job_runs_from_an_s3_server_to_it(s3_url: str, s3: "S3Client", tmp_path: Path) -> None:
    for key, body in {"in/a": b"a\n", "in/x/../b": b"b\n", "in/x": b"c\n", "in/x/": b""}.items():
        s3.put_object(Bucket="bucket", Key=key, Body=body)
    execution = Execution(storage=StorageSettings(s3_endpoint_url=s3_url), images=test_server(tmp_path / "log"))
    with serving(execution) as port:
        client = client_of(port)
        create_model(client)
        client.create_transform_job(**request())
        described = wait_for(client)
    assert described["TransformJobStatus"] == "Completed"
    found = s3.list_objects_v2(Bucket="bucket", Prefix="out")["Contents"]
    outputs = {row["Key"]: s3.get_object(Bucket="bucket", Key=row["Key"])["Body"].read() for row in found}
    assert outputs == {"out/a.out": b"A\n", "out/x/../b.out": b"B\n", "out/x.out": b"C\n"}


def test_the_lines_for_boto3_in_the_documentation_run_as_they_stand(
    s3_url: str,
    s3: "S3Client",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "endpoint.md").read_text()
    shown = page.split("## boto3")[1].split("```python")[1].split("```")[0]
    del s3  # whose bucket is emptied afterwards
    write_archive(tmp_path / "model.tar.gz")
    monkeypatch.chdir(tmp_path)
    execution = Execution(
        storage=StorageSettings(s3_endpoint_url=s3_url), images=(ImageRule(image="*", server="model-dir"),)
    )
    with serving(execution) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
        for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        exec(shown, {})
    assert capsys.readouterr().out == "b'2.0\\n4.0\\n'\n"


STEPS = st.sampled_from(["..", ".", "", "a", "link", "file-link", "up", "b", "\0", "…"])


@given(steps=st.lists(STEPS, min_size=1, max_size=5), bucket=st.sampled_from(["bucket", "link-bucket", "a", "up"]))
def test_no_key_reaches_out_of_the_root(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], bucket: str
) -> None:
    folder = tmp_path_factory.mktemp("place")
    root, outside = folder / "root", folder / "outside"
    (root / "bucket" / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "a").write_text("secret")
    (root / "link-bucket").symlink_to(outside)
    (root / "bucket" / "link").symlink_to(outside)
    (root / "bucket" / "up").symlink_to("../..")
    (root / "bucket" / "file-link").symlink_to(outside / "a")
    storage = BucketFolders(root)
    place = Place(bucket, "/".join(steps))
    (root / "made").write_text("made")
    with contextlib.suppress(PlannerError):
        storage.fetch(place, folder / "fetched")
        assert (folder / "fetched").read_text() != "secret"
    with contextlib.suppress(PlannerError):
        assert not storage.has(place) or (root / bucket / place.key).resolve().is_relative_to(root)
    with contextlib.suppress(PlannerError):
        storage.keys(place)
    with contextlib.suppress(PlannerError):
        storage.store(root / "made", place)
    assert [path.name for path in outside.iterdir()] == ["a"]
    assert (outside / "a").read_text() == "secret"
    assert {path.name for path in folder.iterdir()} <= {"root", "outside", "fetched"}


def test_a_link_that_stays_inside_the_root_is_followed(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "real").write_text("x")
    (tmp_path / "bucket" / "link").symlink_to("real")
    BucketFolders(tmp_path).fetch(Place("bucket", "link"), tmp_path / "fetched")
    assert (tmp_path / "fetched").read_text() == "x"


def test_an_object_cannot_stand_where_a_folder_does(tmp_path: Path) -> None:
    (tmp_path / "bucket" / "a").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a folder"):
        BucketFolders(tmp_path).store(tmp_path / "file", Place("bucket", "a"))
    (tmp_path / "bucket" / "b").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        BucketFolders(tmp_path).store(tmp_path / "file", Place("bucket", "b/c"))
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://bk1/in/x", Place("bk1", "in/x")),
        ("s3://bk1", Place("bk1", "")),
        ("https://bk1.s3.eu-west-1.amazonaws.com/in/x", Place("bk1", "in/x")),
        ("https://bk1.s3-eu-west-1.amazonaws.com/in/x", Place("bk1", "in/x")),
        ("https://s3.amazonaws.com/bk1/in/x", Place("bk1", "in/x")),
        ("https://s3.cn-north-1.amazonaws.com.cn/bk1/in/x", Place("bk1", "in/x")),
    ],
)
def test_a_uri_names_bucket_and_key(uri: str, place: Place) -> None:
    assert place_of(uri) == place


@pytest.mark.parametrize("uri", ["https://example.com/b/k", "s3://../k", "s3://.planner-endpoint-x/k", "s3:///k", "/k"])
def test_a_uri_that_names_no_bucket_is_refused(uri: str) -> None:
    with pytest.raises(RequestRejectedError):
        place_of(uri)


def test_a_name_that_no_bucket_can_have_is_named() -> None:
    with pytest.raises(RequestRejectedError, match="'b' cannot be one's name, which has 3 characters or more"):
        place_of("s3://b/in/x")


@pytest.mark.parametrize(
    ("prefix", "key", "output"),
    [
        ("in/", "in/x/data.csv", "out/x/data.csv.out"),
        ("in/data.csv", "in/data.csv", "out/data.csv.out"),
        ("in", "in/data.csv", "out/in/data.csv.out"),
        ("in/part-", "in/part-1/a", "out/part-1/a.out"),
        ("", "data.csv", "out/data.csv.out"),
    ],
)
def test_outputs_keep_what_follows_the_last_slash_of_the_prefix(prefix: str, key: str, output: str) -> None:
    relative = relative_key(Place("b", prefix), key)
    assert output_place(Place("b", "out"), relative) == output_place(Place("b", "out/"), relative) == Place("b", output)


@given(prefix=st.text("a/", max_size=4), rests=st.sets(st.text("ab/.", min_size=1, max_size=6), min_size=2))
def test_two_objects_never_get_the_same_output(prefix: str, rests: set[str]) -> None:
    place = Place("b", prefix)
    assert len({relative_key(place, prefix + rest) for rest in rests}) == len(rests)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'["a"]', b'[{"prefix": 1}]', b'[{"prefix": "s3://b"}, 1]'])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(InputMissingError, match="not a manifest"):
        manifest_entries(content, "m")
