"""What to measure next."""

from planner.campaign.profiler import Progress, profile

__all__ = ["Progress", "profile"]
