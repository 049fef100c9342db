"""What to measure next."""

from planner.campaign.profiler import profile
from planner.campaign.session import Progress

__all__ = ["Progress", "profile"]
