import itertools

import boto3
import pytest
from botocore.model import StringShape
from hypothesis import given
from hypothesis import strategies as st

from planner.catalogue import instance_type, instance_types, matching
from planner.errors import CatalogueError


def test_the_catalogue_has_exactly_the_types_that_the_service_model_has() -> None:
    client = boto3.Session().client("sagemaker", region_name="us-east-1")
    shape = client.meta.service_model.shape_for("TransformInstanceType")
    assert isinstance(shape, StringShape)
    accepted = shape.enum
    assert [kind.name for kind in instance_types() if kind.name not in accepted] == []
    assert [name for name in accepted if name not in {kind.name for kind in instance_types()}] == []


def test_there_are_116_types_each_once() -> None:
    names = [kind.name for kind in instance_types()]
    assert len(names) == len(set(names)) == 116


def test_every_type_is_sane() -> None:
    for kind in instance_types():
        assert kind.name == f"ml.{kind.family}.{kind.size}"
        assert 2 <= kind.vcpus <= 192
        assert kind.physical_cores * 2 == kind.vcpus, kind.name
        assert 1 < kind.memory_gib / kind.vcpus < 16, kind.name
        assert kind.cpu_models, kind.name
        assert "avx2" in kind.simd, kind.name
        assert kind.network_baseline_gbps is None or 0.5 <= kind.network_baseline_gbps <= 800, kind.name


def test_accelerators_are_on_the_accelerated_families_and_no_others() -> None:
    accelerated = {kind.family for kind in instance_types() if kind.has_accelerator}
    assert accelerated == {"p2", "p3", "g4dn", "g5", "g6", "g6e", "trn1", "inf2"}
    assert all(kind.has_accelerator == (kind.family in accelerated) for kind in instance_types())


@pytest.mark.parametrize(
    ("name", "vcpus", "memory_gib", "accelerator", "count"),
    [
        ("ml.m5.xlarge", 4, 16, None, 0),
        ("ml.c5.9xlarge", 36, 72, None, 0),
        ("ml.r7i.48xlarge", 192, 1536, None, 0),
        ("ml.g4dn.12xlarge", 48, 192, "NVIDIA T4", 4),
        ("ml.p3.16xlarge", 64, 488, "NVIDIA V100-SXM2-16GB", 8),
        ("ml.inf2.48xlarge", 192, 768, "AWS Inferentia2", 12),
    ],
)
def test_known_types_have_their_published_size(
    name: str, vcpus: int, memory_gib: float, accelerator: str | None, count: int
) -> None:
    kind = instance_type(name)
    assert (kind.vcpus, kind.memory_gib) == (vcpus, memory_gib)
    if accelerator is None:
        assert kind.accelerator is None
    else:
        assert kind.accelerator is not None
        assert (kind.accelerator.name, kind.accelerator.count) == (accelerator, count)


def test_sizes_of_a_family_stand_from_small_to_large() -> None:
    for one, other in itertools.pairwise(instance_types()):
        if one.family == other.family:
            assert one.vcpus <= other.vcpus or one.family in {"g4dn", "g5", "g6", "g6e"}, (one.name, other.name)


@pytest.mark.parametrize("spelling", ["ml.m5.xlarge", "m5.xlarge", "ML.M5.XLARGE", " ml.m5.xlarge "])
def test_a_type_is_found_in_any_case_with_or_without_its_prefix(spelling: str) -> None:
    assert instance_type(spelling).name == "ml.m5.xlarge"


def test_a_misspelt_type_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(CatalogueError, match=r"'ml.m5.xlrge'.*nearest: ml.m5.xlarge"):
        instance_type("ml.m5.xlrge")


@pytest.mark.parametrize(
    ("globs", "count"),
    [((), 116), (("*",), 116), (("ml.c5.*",), 5), (("C5.*", "ml.c5.xlarge"), 5), (("m7i.*", "c7i.*"), 18)],
)
def test_globs_choose_types_once_each(globs: tuple[str, ...], count: int) -> None:
    assert len(matching(globs)) == count


def test_a_size_glob_chooses_that_size_of_every_family() -> None:
    assert {kind.size for kind in matching(["*.xlarge"])} == {"xlarge"}


def test_every_glob_without_a_match_is_named() -> None:
    with pytest.raises(CatalogueError, match=r"'z9\.\*', 'm5\.tiny'.*Families: m4, c4"):
        matching(["c5.*", "z9.*", "m5.tiny"])


@given(st.lists(st.sampled_from(instance_types()), min_size=1))
def test_names_are_globs_of_themselves_in_catalogue_order(kinds: list[object]) -> None:
    names = [kind.name for kind in instance_types() if kind in kinds]
    assert [kind.name for kind in matching(reversed(names))] == names
