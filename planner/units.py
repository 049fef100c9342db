"""Seconds, MiB and USD at the edges: parse what people type, show what people read.

Inside the program every quantity is a plain number in its base unit (seconds, bytes, US dollars) whose
name carries the unit; this module is where text turns into such numbers and back.

One MB of ``MaxPayloadInMB`` is 2**20 bytes (derived from public job logs, see README "What is known").
"""

import re
from collections.abc import Mapping
from typing import Final

MIB: Final = 2**20
GIB: Final = 2**30

_SECONDS_PER_UNIT: Final = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES_PER_UNIT: Final = {
    "b": 1,
    "k": 2**10,
    "kib": 2**10,
    "kb": 10**3,
    "m": MIB,
    "mib": MIB,
    "mb": 10**6,
    "g": GIB,
    "gib": GIB,
    "gb": 10**9,
    "t": 2**40,
    "tib": 2**40,
    "tb": 10**12,
}
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def _quantities(text: str, units: Mapping[str, float], bare: str, example: str) -> float:
    """Sum of every ``<number><unit>`` in text; a number alone is in the unit ``bare``."""
    cleaned = text.strip().lower()
    total, position = 0.0, 0
    while position < len(cleaned):
        match = _QUANTITY.match(cleaned, position)
        if match is None or (match[2] or bare) not in units:
            raise ValueError(f"{text!r} is not a quantity such as {example}; units: {', '.join(units)}")
        total += float(match[1]) * units[match[2] or bare]
        position = match.end()
        while position < len(cleaned) and cleaned[position].isspace():
            position += 1
    if not cleaned:
        raise ValueError(f"an empty text is not a quantity such as {example}")
    return total


def parse_seconds(text: str) -> float:
    """Seconds in ``90m``, ``1h30m``, ``45s``, ``250ms`` or ``3600`` (a bare number is seconds).

    Raises ValueError, naming the units, on anything else.
    """
    return _quantities(text, _SECONDS_PER_UNIT, "s", "90m or 1h30m")


def parse_bytes(text: str) -> int:
    """Bytes in ``2g``, ``512m`` (binary, as Docker reads them), ``6MiB``, ``6MB`` (decimal) or ``1024``.

    Raises ValueError, naming the units, on anything else.
    """
    return round(_quantities(text, _BYTES_PER_UNIT, "b", "2g or 512m"))


def show_seconds(seconds: float) -> str:
    """A duration as people read it: ``850 µs``, ``12.3 ms``, ``4.21 s``, ``3 m 20 s``, ``2 h 05 m``."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d} m"


def show_bytes(count: float) -> str:
    """A size in binary units: ``17 B``, ``1.5 KiB``, ``6.00 MiB``, ``3.2 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" or abs(count) >= 999.5 else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def show_usd(usd: float) -> str:
    """Dollars with cents, and with four digits below ten cents, where cents would hide the difference."""
    return f"${usd:,.2f}" if abs(usd) >= 0.1 else f"${usd:.4f}"


def show_rate(per_second: float, noun: str) -> str:
    """A rate with its noun: ``12,300 records/s``, ``3.21 requests/s``."""
    return f"{per_second:,.0f} {noun}/s" if per_second >= 100 else f"{per_second:.3g} {noun}/s"
