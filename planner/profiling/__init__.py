"""Measuring one point well, and the document that keeps the measurements."""

from planner.profiling.profile import Host, LoadGenerator, Measurement, Payload, Profile

__all__ = ["Host", "LoadGenerator", "Measurement", "Payload", "Profile"]
