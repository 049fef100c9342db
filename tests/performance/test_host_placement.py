import pytest

from planner.catalogue import instance_types
from planner.performance.benchmark_scores import type_speeds
from planner.performance.host_placement import place
from planner.profiling.profile import Host


def a_host(
    cpu_model: str = "",
    vendor: str = "GenuineIntel",
    family: int = 6,
    number: int | None = None,
    *,
    flags: tuple[str, ...] = (),
    cpus: int = 4,
) -> Host:
    return Host(
        cpu_model=cpu_model,
        cpu_vendor=vendor,
        cpu_family=family,
        cpu_model_number=number,
        cpu_flags=flags,
        logical_cpus=cpus,
        memory_bytes=2**33,
        system="Linux",
    )


@pytest.mark.parametrize(
    ("vendor", "family", "number", "generation", "a_family"),
    [
        ("GenuineIntel", 6, 143, "Sapphire Rapids", "m7i"),
        ("GenuineIntel", 6, 207, "Emerald Rapids", "m7i"),
        ("GenuineIntel", 6, 173, "Granite Rapids", "m7i"),
        ("GenuineIntel", 6, 106, "Ice Lake", "m6i"),
        ("GenuineIntel", 6, 85, "Skylake/Cascade Lake", "m5"),
        ("GenuineIntel", 6, 79, "Broadwell", "m4"),
        ("GenuineIntel", 6, 63, "Haswell", "c4"),
        ("AuthenticAMD", 23, 49, "Zen 2", "g5"),
        ("AuthenticAMD", 25, 1, "Zen 3", "g6"),
        ("AuthenticAMD", 25, 17, "Zen 4", "g6"),
        ("AuthenticAMD", 26, 2, "Zen 5", "g6"),
    ],
)
def test_a_nameless_processor_is_placed_by_its_cpuid(
    vendor: str, family: int, number: int, generation: str, a_family: str
) -> None:
    placement = place(a_host("Virtual CPU", vendor, family, number))
    assert placement.generation == generation
    assert a_family in {kind.family for kind in placement.references}


def test_every_processor_of_the_catalogue_is_placed_by_name_on_its_own_types() -> None:
    for kind in instance_types():
        for model in kind.cpu_models:
            placement = place(a_host(model, cpus=kind.vcpus))
            assert kind in placement.references, (model, kind.name)
            assert placement.processor is None


def test_the_reference_types_are_those_of_the_nearest_size() -> None:
    assert {kind.vcpus for kind in place(a_host(number=143, cpus=3)).references} in ({2}, {4})
    assert {kind.vcpus for kind in place(a_host(number=143, cpus=400)).references} == {192}


def test_a_processor_of_another_ec2_type_is_a_measured_step_from_its_nearest_generation() -> None:
    newer = place(a_host("Intel(R) Xeon(R) Platinum 8559C", number=207))
    assert newer.nearest_generation == "Sapphire Rapids"
    assert newer.processor is not None
    older = place(a_host(number=143))
    assert newer.thread_ln("scalar") > older.thread_ln("scalar")
    assert newer.log_sd < older.log_sd


@pytest.mark.parametrize(
    ("vendor", "family", "number"),
    [("GenuineIntel", 6, None), ("GenuineIntel", 6, 9999), ("GenuineIntel", 15, 85), ("Apple", 6, 143), ("", 0, 0)],
)
def test_an_unknown_processor_stands_among_all_generations_and_says_so(
    vendor: str, family: int, number: int | None
) -> None:
    placement = place(a_host("M2", vendor, family, number))
    assert placement.generation is None
    assert {type_speeds()[kind.name].generation for kind in placement.references} >= {"Haswell", "Zen 3", "Ice Lake"}
    assert "all generations" in placement.words


def test_a_hidden_instruction_set_is_named_and_widens_what_depends_on_it() -> None:
    shown = place(a_host(number=143, flags=("avx512f", "avx512_vnni", "amx_tile")))
    hidden = place(a_host(number=143, flags=("avx512f", "avx512_vnni")))
    assert hidden.hides == ("amx_tile",)
    assert "hides amx_tile" in hidden.words
    assert hidden.placement_sd("int8_dnn") > shown.placement_sd("int8_dnn") + 0.1
    assert hidden.placement_sd("scalar") == shown.placement_sd("scalar")


def test_unknown_flags_hide_nothing() -> None:
    assert place(a_host(number=143, flags=())).hides == ()
