"""What the service's documents leave open about cutting, one named policy each, with its alternative.

Public job logs fix the unit (MiB), the greedy order and that the line feed counts; they do not fix the points
below. Plans therefore keep headroom below a limit instead of relying on any of them.
"""

from enum import Enum
from typing import Final


class TieRule(Enum):
    """Whether a payload of exactly MaxPayloadInMB x 2**20 bytes is still allowed.

    The logs only show 6,290,629 B accepted at 6 MiB (6,291,456 B).
    """

    LIMIT_FITS = "a payload of exactly the limit is sent"
    LIMIT_IS_TOO_LARGE = "a payload must stay below the limit"


TIE_RULE: Final = TieRule.LIMIT_FITS
"""The policy: flush when ``current + len(record) > limit``, the packer that reproduces the logged request counts."""


class BlankLines(Enum):
    """What a line of nothing but its delimiter (LF or CRLF) is under SplitType Line."""

    RECORD = "a record like any other"
    DROPPED = "never sent, and no record"


BLANK_LINES: Final = BlankLines.RECORD
"""The policy: nothing is dropped, so concatenated payloads equal the input (AWS's own local mode does the same)."""


class Wrapper(Enum):
    """What "padding" means where SingleRecord strips it from RecordIO and TFRecord.

    TransformInput: "Some data formats represent a record as a binary payload wrapped with extra padding bytes. When
    splitting is applied to a binary data format, padding is removed if the value of BatchStrategy is set to
    SingleRecord. Padding is not removed if the value of BatchStrategy is set to MultiRecord."
    """

    WHOLE_FRAME = "header, length, checksums and alignment bytes: the container gets the bare record"
    ALIGNMENT_ONLY = "the alignment bytes at the end of a RecordIO frame: headers are kept, TFRecord is unchanged"


WRAPPER: Final = Wrapper.WHOLE_FRAME
"""The policy: the payload is what was wrapped, as AWS's local mode (`read_recordio`) sends it."""
