"""Any request that the check lets through is one that botocore can put on the wire and that reads back the same."""

import functools
import io
import json
from typing import Any, cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from planner.jobs import check_request
from planner.jobs.service_model import Field, fields
from tests.jobs.examples import REQUEST

FREE = st.text(st.characters(codec="utf-8"), max_size=12)


def string(field: Field) -> st.SearchStrategy[str]:
    """Strings that the field allows, and some that it does not."""
    if field.values:
        return st.sampled_from((*field.values, "Foo"))
    if field.pattern:
        return st.one_of(FREE, st.from_regex(_ascii(field.pattern), fullmatch=True).map(lambda s: s[:70]))
    return st.one_of(FREE, st.sampled_from(["$", "$[1:]", "$.a", "$['a','b']"]))


def _ascii(pattern: str) -> str:
    return pattern.replace(r"\p{L}\p{Z}\p{N}", "a-z0-9 é")


def value(path: str) -> st.SearchStrategy[Any]:
    """Values of one field and all its parts, right in type and mostly within the limits."""
    field = fields()[path]
    match field.kind:
        case "structure":
            members = {p: f for p, f in fields().items() if p.rpartition(".")[0] == path}
            return st.fixed_dictionaries(
                {p.rpartition(".")[2]: value(p) for p, f in members.items() if f.is_required},
                optional={p.rpartition(".")[2]: value(p) for p, f in members.items() if not f.is_required},
            )
        case "map":
            return st.dictionaries(value(f"{path}{{key}}"), value(f"{path}{{value}}"), max_size=3)
        case "list":
            return st.lists(value(f"{path}[]"), max_size=3)
        case "string":
            return string(field)
        case "integer":
            return st.one_of(st.integers(0, 12), st.integers(-1, 4000))
        case _:
            return st.booleans()


TOP = {path: field for path, field in fields().items() if "." not in path and "{" not in path and "[" not in path}


CHANGES = st.sets(st.sampled_from(sorted(TOP)), min_size=1, max_size=2).flatmap(
    lambda paths: st.fixed_dictionaries({path: value(path) for path in sorted(paths)})
)


@functools.cache
def client() -> tuple[Any, list[bytes]]:
    """A client whose requests end before the network, and the bodies that it would have sent."""
    sent: list[bytes] = []

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        sent.append(cast("bytes", request.body))
        raw = io.BytesIO(b'{"TransformJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/x"}')
        raw.stream = lambda: iter([raw.getvalue()])  # type: ignore[attr-defined]
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)

    made: Any = boto3.client("sagemaker", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    made.meta.events.register("before-send.sagemaker.CreateTransformJob", answer)
    return made, sent


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(CHANGES)
@example({})
@example({"Tags": [{"Key": "größe", "Value": "東京"}], "DataProcessing": {"JoinSource": "Input"}})
def test_an_accepted_request_survives_botocores_serialiser_unchanged(changes: dict[str, Any]) -> None:
    request = {**REQUEST, **changes}
    assume(not any(finding.severity == "error" for finding in check_request(request)))
    sender, sent = client()
    sent.clear()
    sender.create_transform_job(**request)
    assert [json.loads(body) for body in sent] == [request]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(st.none() | st.booleans() | st.integers() | FREE, lambda x: st.lists(x) | st.dictionaries(FREE, x)))
def test_no_json_value_makes_the_check_fall_over(anything: Any) -> None:
    for request in (anything, {**REQUEST, **dict.fromkeys(TOP, anything)}):
        check_request(request)
