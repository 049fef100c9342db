"""The packaged tables, as rows of text. Plain `csv`: importing pandas would cost more than every table together."""

import csv
from importlib.resources import files
from typing import Final

CC_BY_SA: Final = "cc-by-sa-4.0/"
"""Where the tables stand that derive from Spare Cores measurements: licensed apart from the code, see LICENSE there."""


def rows(table: str) -> list[dict[str, str]]:
    """Every row of a table under ``planner/catalogue/data``, by column name; an unknown value is an empty text."""
    text = files("planner.catalogue").joinpath("data", *table.split("/")).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
