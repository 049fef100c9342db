"""Deciding: the space, its evaluation, the search, the plan."""
