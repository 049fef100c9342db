from planner.container.cpus import available_cpus
from planner.jobs.local.cautions import sharing_cautions
from planner.jobs.local.run_document import InstanceRow


def test_a_runner_without_a_cpu_of_its_own_says_what_it_takes_from_the_containers() -> None:
    cpus = available_cpus()

    def row(cpu_set: tuple[int, ...] | None) -> InstanceRow:
        return InstanceRow(
            instance=0,
            objects=1,
            startup_s=1.0,
            cpu_set=cpu_set,
            requests=1,
            busy_s=10.0,
            mean_in_flight=1.0,
            cpu_s=9.0,
            utilization=0.9,
            memory_peak_bytes=None,
        )

    for rows in ([row(None)], [row(cpus)], [row((cpu,)) for cpu in cpus]):
        (said,) = sharing_cautions(rows, client_cpu_s=5.0, makespan_s=10.0)
        assert "took 0.50 CPUs' worth of their time" in said
        assert not sharing_cautions(rows, client_cpu_s=0.1, makespan_s=10.0)
    assert not sharing_cautions([row(cpus[1:])], client_cpu_s=5.0, makespan_s=10.0)
    assert not sharing_cautions([], client_cpu_s=5.0, makespan_s=0.0)
    assert not sharing_cautions([row(None)], client_cpu_s=0.05, makespan_s=0.05)
