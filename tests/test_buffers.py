"""Buffers to be read into."""

import mmap

import numpy as np

from planner.buffers import page_aligned


def test_a_buffer_begins_at_a_page_and_holds_writable_zeros() -> None:
    buffer = page_aligned(5_000)
    assert np.frombuffer(buffer, np.uint8).ctypes.data % mmap.PAGESIZE == 0
    assert bytes(buffer) == bytes(5_000)
    buffer[4_999] = 1
    assert buffer[4_999] == 1
