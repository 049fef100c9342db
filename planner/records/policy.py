"""What the service's documents leave open about cutting: one policy, each point with its alternative.

Public job logs fix the unit (MiB), the greedy order and that the line feed counts; they do not fix the points below.
Plans therefore keep headroom below a limit instead of relying on any of them.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class TieRule(Enum):
    """Whether a payload of exactly MaxPayloadInMB x 2**20 bytes is still allowed.

    The logs only show 6,290,629 B accepted at 6 MiB (6,291,456 B).
    """

    LIMIT_FITS = "a payload of exactly the limit is sent: flush when current + len(record) > limit"
    LIMIT_IS_TOO_LARGE = "a payload stays below the limit: flush when current + len(record) >= limit"


class BlankLines(Enum):
    """What a line of nothing but its delimiter (LF or CRLF) is under SplitType Line."""

    RECORD = "a record like any other; concatenated payloads equal the input, as in AWS's own local mode"
    DROPPED = "never sent, and no record"


class Wrapper(Enum):
    """What "padding" means where SingleRecord strips it from RecordIO and TFRecord (rule R4).

    TransformInput: "Some data formats represent a record as a binary payload wrapped with extra padding bytes. When
    splitting is applied to a binary data format, padding is removed if the value of BatchStrategy is set to
    SingleRecord. Padding is not removed if the value of BatchStrategy is set to MultiRecord."
    """

    WHOLE_FRAME = "header, length, checksums and alignment bytes: the container gets what was wrapped"
    ALIGNMENT_ONLY = "the alignment bytes that end a RecordIO frame: headers are kept, and TFRecords as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class CuttingPolicy:
    """How open points are settled; the defaults are what the planner assumes everywhere."""

    tie_rule: TieRule = TieRule.LIMIT_FITS
    blank_lines: BlankLines = BlankLines.RECORD
    wrapper: Wrapper = Wrapper.WHOLE_FRAME


ASSUMED: Final = CuttingPolicy()
"""The planner's policy."""
