"""Memory that the kernel fills quickly, and how much of it a core keeps near."""

import mmap
from pathlib import Path
from typing import Final

_SECOND_LEVEL: Final = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")


def page_aligned(size_bytes: int) -> memoryview:
    """Writable zeros that begin at a memory page, to be read into.

    A large `bytearray` begins 16 bytes into one. On AMD's Zen 3 the kernel copies with ``rep movsb``, which there is
    several times slower to a destination that begins so little past its source, modulo a page: 1.7 instead of
    12 GB/s from the page cache (see https://lunnova.dev/articles/ryzen-slow-short-rep-mov).
    """
    return memoryview(mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def second_level_cache_bytes() -> int:
    """Size of a core's second-level cache, where Linux tells it, else 0."""
    try:
        return int(_SECOND_LEVEL.read_text().strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 0
