"""Buffers to be read into."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from planner.buffers import page_aligned, second_level_cache_bytes


def test_a_buffer_begins_at_a_page_and_holds_writable_zeros() -> None:
    buffer = page_aligned(5_000)
    assert np.frombuffer(buffer, np.uint8).ctypes.data % mmap.PAGESIZE == 0
    assert bytes(buffer) == bytes(5_000)
    buffer[4_999] = 1
    assert buffer[4_999] == 1


def test_the_second_level_cache_is_as_large_as_linux_says_and_nothing_where_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "size"
    monkeypatch.setattr("planner.buffers._SECOND_LEVEL", told)
    assert second_level_cache_bytes() == 0
    told.write_text("1280K\n")
    assert second_level_cache_bytes() == 1280 * 1024
    told.write_text("\n")
    assert second_level_cache_bytes() == 0
