import re

import pytest

from planner.jobs.patterns import translated
from planner.jobs.resources import LOCAL_STORAGE_FAMILIES
from planner.jobs.service_model import fields
from planner.planning.space import MAX_INSTANCE_COUNT


def test_every_field_of_the_request_is_known_with_its_limits() -> None:
    known = fields()
    assert {path for path, field in known.items() if field.is_required and re.fullmatch(r"\w+", path)} == {
        "TransformJobName",
        "ModelName",
        "TransformInput",
        "TransformOutput",
        "TransformResources",
    }
    assert known["BatchStrategy"].values == ("MultiRecord", "SingleRecord")
    assert known["TransformInput.DataSource.S3DataSource.S3Uri"].maximum == 1024
    assert known["Environment"].maximum == 16
    assert known["Environment{value}"].maximum == 10_240
    assert known["Tags[].Key"].minimum == 1
    assert known["DataProcessing.InputFilter"].maximum == 63


def test_there_are_all_the_instance_types_that_the_catalogue_was_made_for() -> None:
    types = fields()["TransformResources.InstanceType"].values
    assert len(types) >= 116
    assert {f"ml.{family}.xlarge" for family in LOCAL_STORAGE_FAMILIES - {"trn1"}} <= set(types)
    assert "ml.trn1.2xlarge" in types


@pytest.mark.parametrize("path", [path for path, field in fields().items() if field.pattern])
def test_every_pattern_of_the_model_compiles_in_python(path: str) -> None:
    pattern = fields()[path].pattern
    assert pattern is not None
    re.compile(translated(pattern, "Ab-1 é\n"))


def test_the_model_still_leaves_to_prose_what_our_rules_take_from_prose() -> None:
    # When AWS writes these into the model, the rules that state them can go.
    assert fields()["MaxPayloadInMB"].maximum is None
    assert fields()["TransformResources.InstanceCount"].maximum is None
    assert MAX_INSTANCE_COUNT == 100
