import psutil
import pytest

from planner.profiling.calibrate import calibrate, null_server


def test_the_load_generator_has_a_cost_and_the_null_server_ends() -> None:
    before = {child.pid for child in psutil.Process().children()}
    cost = calibrate(b"x" * 1000, duration_s=0.1)
    assert 0 < cost.cpu_s_per_request <= 0.1
    assert 0 < cost.latency_s <= 0.1
    assert {child.pid for child in psutil.Process().children()} <= before


def test_the_null_server_ends_when_the_block_fails() -> None:
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(KeyboardInterrupt), null_server():
        raise KeyboardInterrupt
    assert {child.pid for child in psutil.Process().children()} <= before
