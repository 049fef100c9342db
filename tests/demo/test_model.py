import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from planner.demo import inference
from planner.demo.model import DemoModel, make_demo_model


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoModel:
    return make_demo_model(tmp_path_factory.mktemp("demo"), trees=5, objects=2)


def test_the_demo_classifier_has_learnt_to_read_digits(demo: DemoModel) -> None:
    assert demo.accuracy > 0.85


def test_the_archive_holds_the_weights_and_the_four_functions_at_its_top(demo: DemoModel) -> None:
    with tarfile.open(demo.archive) as tar:
        assert sorted(tar.getnames()) == ["inference.py", "model.joblib"]


def test_the_packed_functions_answer_one_line_per_record_in_both_formats(demo: DemoModel, tmp_path: Path) -> None:
    with tarfile.open(demo.archive) as tar:
        tar.extractall(tmp_path, filter="data")
    model = inference.model_fn(str(tmp_path))
    lines = demo.sample.read_bytes().splitlines(keepends=True)[:7]
    csv = "".join(",".join(map(str, json.loads(line)["features"])) + "\n" for line in lines)
    from_json = inference.input_fn(b"".join(lines), "application/jsonlines")
    np.testing.assert_array_equal(from_json, inference.input_fn(csv, "text/csv; charset=utf-8"))
    probabilities = inference.predict_fn(from_json, model)
    answer, content_type = inference.output_fn(probabilities, "application/jsonlines")
    assert content_type == "application/jsonlines"
    assert [json.loads(line)["digit"] for line in answer.splitlines()] == probabilities.argmax(axis=1).tolist()
    answer, content_type = inference.output_fn(probabilities, "text/csv")
    assert (len(answer.splitlines()), content_type) == (7, "text/csv")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"1,2,3\n", "text/csv"), (b"1,2,3\n", "image/png"), (b'{"features":[1]}\n', "application/jsonlines")],
)
def test_records_of_another_type_or_width_are_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(ValueError, match=r"content type|64 numbers"):
        inference.input_fn(body, content_type)


def test_the_same_arguments_give_the_same_input_and_the_objects_are_uneven(demo: DemoModel, tmp_path: Path) -> None:
    again = make_demo_model(tmp_path, trees=5, objects=2)
    first, second = (sorted(m.input_folder.iterdir()) for m in (demo, again))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert len({p.stat().st_size for p in first}) == 2
