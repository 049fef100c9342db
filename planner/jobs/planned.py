"""The verb `planner.recommend`: a plan that carries the draft of its own request."""

from functools import partial

from planner.jobs.request import draft_request
from planner.planning.recommend import recommend as _recommend

recommend = partial(_recommend, emit=draft_request)
"""`planner.planning.recommend.recommend` whose plan holds a CreateTransformJob draft in `transform_job`."""
