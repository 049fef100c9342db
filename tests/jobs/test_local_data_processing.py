import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.documents import replace
from planner.errors import RecordFormatError, RequestRejectedError, ResponseMismatchError
from planner.jobs.local import JobSettings
from planner.jobs.local.csv_rows import row_fields
from planner.jobs.local.data_processing import DataProcessor
from planner.jobs.local.json_query import NothingThereError, query_of
from tests.jobs.local_jobs import LINES, outputs, run_here

CSV = replace(LINES, content_type="text/csv", accept="text/csv")
WHOLE_JSON = replace(
    LINES,
    content_type="application/json",
    accept="application/json",
    split_type="None",
    assemble_with="None",
    batch_strategy=None,
)


# --- the examples of the developer guide, "Associate Prediction Results with Input Records" -----------
def test_by_default_only_inferences_are_stored_as_they_came() -> None:
    processor = DataProcessor(replace(CSV, input_filter="$", join_source="None", output_filter="$"))
    assert processor.request_body(b"1,2\n") == b"1,2\n"
    assert processor.response_part(b"1,2\n", b"anything\r\n\n") == b"anything\r\n\n"


def test_a_json_document_is_joined_with_its_inference() -> None:
    processor = DataProcessor(replace(WHOLE_JSON, join_source="Input"))
    assert json.loads(processor.response_part(b'{"key":1}', b'{"label":1}')) == {
        "key": 1,
        "SageMakerOutput": {"label": 1},
    }


def test_a_json_document_that_is_no_object_goes_under_sagemakerinput() -> None:
    processor = DataProcessor(replace(WHOLE_JSON, join_source="Input"))
    joined = json.loads(processor.response_part(b"[1, 2]", b'{"label":1}'))
    assert joined == {"SageMakerInput": [1, 2], "SageMakerOutput": {"label": 1}}


def test_a_csv_row_is_followed_by_its_inference() -> None:
    processor = DataProcessor(replace(CSV, join_source="Input"))
    assert processor.response_part(b"1,2,3\n4,5,6\n", b"1\n0\n") == b"1,2,3,1\n4,5,6,0"


def test_an_id_column_is_kept_from_the_model_and_put_to_its_result() -> None:
    processor = DataProcessor(replace(CSV, input_filter="$[1:]", join_source="Input", output_filter="$[0,-1]"))
    payload = b"id1,a,b,c,d\nid2,e,f,g,h\n"
    assert processor.request_body(payload) == b"a,b,c,d\ne,f,g,h\n"
    assert processor.response_part(payload, b"0.5\n0.7\n") == b"id1,0.5\nid2,0.7"


def test_an_id_attribute_is_kept_from_the_model_and_put_to_its_result() -> None:
    settings = replace(LINES, input_filter="$.features", join_source="Input", output_filter="$['id','SageMakerOutput']")
    processor = DataProcessor(settings)
    payload = b'{"id":7,"features":[1,2.5],"note":"x"}\n{"id":8,"features":[3,4],"note":"y"}\n'
    assert processor.request_body(payload) == b"[1,2.5]\n[3,4]\n"
    part = processor.response_part(payload, b'{"label":0}\n{"label":1}\n')
    assert part == b'{"id":7,"SageMakerOutput":{"label":0}}\n{"id":8,"SageMakerOutput":{"label":1}}'


# --- what goes wrong ---------------------------------------------------------------------------------
def test_another_number_of_lines_than_records_cannot_be_joined() -> None:
    processor = DataProcessor(replace(CSV, join_source="Input"))
    with pytest.raises(ResponseMismatchError, match="1 lines for 2 records"):
        processor.response_part(b"1\n2\n", b"0\n")


@pytest.mark.parametrize(
    ("settings", "payload", "reason"),
    [
        (replace(CSV, input_filter="$[5]"), b"1,2\n", "input record 1 of the payload: .*picks column 5 of 2"),
        (replace(CSV, input_filter="$[0]"), b'1\n1,b"c\n', "input record 2 of the payload: a quote"),
        (replace(LINES, input_filter="$.a"), b'{"b":1}\n', "nothing at"),
        (replace(LINES, input_filter="$.a"), b"{\n", "input record 1"),
        (replace(LINES, input_filter="$.a"), b'{"a":"\xff"}\n', "not UTF-8 at byte 6"),
    ],
)
def test_records_that_cannot_be_filtered_are_named(settings: JobSettings, payload: bytes, reason: str) -> None:
    with pytest.raises(RecordFormatError, match=reason):
        DataProcessor(settings).request_body(payload)


@pytest.mark.parametrize(
    "settings",
    [
        replace(CSV, join_source="Input", accept="application/json"),
        replace(CSV, join_source="Input", assemble_with="None"),
        replace(CSV, input_filter="$.a"),
        replace(LINES, input_filter="$..a"),
        replace(LINES, content_type="text/plain", accept="text/plain", output_filter="$.a"),
    ],
)
def test_settings_that_the_rules_refuse_never_run(tmp_path: Path, settings: JobSettings) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("1\n")
    with pytest.raises(RequestRejectedError):
        run_here(tmp_path, settings)


# --- the JSONPath subset -----------------------------------------------------------------------------
RECORD: dict[str, Any] = {"id": 7, "my-field": {"a": 1, "b": [10, 20, 30], "c": 3}, "list": [0, 1, 2, 3, 4, 5]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['id']", 7),
        ("$.my-field.b[-1]", 30),
        ("$['id','missing','list']", {"id": 7, "list": RECORD["list"]}),
        ("$.my-field.['a','c']", {"a": 1, "c": 3}),
        ("$.my-field.*", [1, [10, 20, 30], 3]),
        ("$.list[1,3,5]", [1, 3, 5]),
        ("$.list[0,-1]", [0, 5]),
        ("$.list[0, 4:]", [0, 4, 5]),
        ("$.list[2:5]", [2, 3, 4]),
        ("$.list[:5]", [0, 1, 2, 3, 4]),
        ("$.list[2:]", [2, 3, 4, 5]),
        ("$.list[-2:]", [4, 5]),
    ],
)
def test_a_path_yields_a_value_an_object_of_names_or_an_array(path: str, expected: object) -> None:
    assert query_of(path).evaluator()(RECORD) == expected


def test_a_path_to_one_value_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NothingThereError):
        query_of("$.id.below").evaluator()(RECORD)


@given(values=st.lists(st.integers(), min_size=1, max_size=8), low=st.integers(-9, 9), high=st.integers(-9, 9))
def test_slices_are_pythons(values: list[int], low: int, high: int) -> None:
    assert query_of(f"$[{low}:{high}]").evaluator()(values) == values[low:high]


# --- CSV rows ----------------------------------------------------------------------------------------
@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])), min_size=2, max_size=6))
def test_the_fields_of_a_row_are_those_of_the_csv_module_and_join_to_the_row(values: list[str]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    row = buffer.getvalue()
    fields = row_fields(row)
    assert ",".join(fields) == row
    assert [next(csv.reader([field]), [""])[0] if field else "" for field in fields] == values


# --- end to end --------------------------------------------------------------------------------------
def test_a_joined_job_keeps_every_record_beside_its_own_result(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = [{"id": n, "features": list(range(n % 7)), "filler": "x" * (n % 900)} for n in range(6000)]
    (tmp_path / "in" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = replace(
        LINES,
        input_filter="$.features",
        join_source="Input",
        output_filter="$['id','SageMakerOutput']",
        max_concurrent_transforms=3,
    )
    run = run_here(tmp_path, settings, MODE="label", DELAY_MS="30")
    assert run.requests > 2
    expected = [
        {"id": r["id"], "SageMakerOutput": {"label": len(json.dumps(r["features"], separators=(",", ":")))}}
        for r in rows
    ]
    stored = outputs(tmp_path)["a.jsonl"].decode().splitlines()
    assert [json.loads(line) for line in stored] == expected


def test_a_container_that_answers_too_few_lines_fails_a_joined_object_alone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("1,2\n3,4\n")
    run = run_here(tmp_path, replace(CSV, join_source="Input"), MODE="short")
    assert "a.csv: records 1 to 2 at byte 0: the response has 1 lines for 2 records" in str(run.objects[0].failure)
    assert not outputs(tmp_path)
