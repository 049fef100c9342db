"""DataProcessing: InputFilter, JoinSource and OutputFilter on the records of one request.

Source: AWS developer guide, batch-transform-data-processing, and the API reference of DataProcessing. What these
leave open, and what is done here:

    payload limit    applies to the records as read, before InputFilter: counts of requests stay those of the plan
    CSV              fields are moved, never rewritten: quotes and spelling of numbers stay
    JSON             what is filtered or joined is written compactly (no spaces, UTF-8 as it is)
    response lines   one per record of the request; another number fails the object, for then nothing can be joined
    application/json with SplitType None: the object is one document; with Line: each line is one
"""

import json
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from planner.documents import Json
from planner.errors import RecordFormatError, ResponseMismatchError
from planner.jobs.local.csv_rows import row_fields
from planner.jobs.local.json_query import Evaluator, Query, query_of
from planner.jobs.local.settings import JobSettings

Record: TypeAlias = str
"""The text of one record or response line, without its line break."""

OUTPUT: Final = "SageMakerOutput"
INPUT: Final = "SageMakerInput"


class DataProcessor:
    """What DataProcessing makes of the body of a request and of the answer to it."""

    def __init__(self, settings: JobSettings) -> None:
        """Settings must have passed `settings.checked`: filters of the subset, types that can be processed."""
        media = (settings.content_type or "").partition(";")[0].strip().lower()
        self._is_csv = media == "text/csv"
        self._by_lines = settings.split_type == "Line" or media != "application/json"
        self._joins = settings.join_source == "Input"
        self._ends_with_line_feed = self._by_lines
        self._assembles_lines = settings.assemble_with == "Line"
        make = _row_filter if self._is_csv else _json_filter
        self._input_filter = make(query_of(settings.input_filter))
        self._output_filter = make(query_of(settings.output_filter))

    def request_body(self, body: bytes) -> bytes:
        """What is sent for this payload. Raises RecordFormatError (index of the record in the payload)."""
        if self._input_filter is None:
            return body
        records = self._records(body, "input")
        filtered = [_applied(self._input_filter, record, "input", i) for i, record in enumerate(records)]
        return ("\n".join(filtered) + "\n" * self._ends_with_line_feed).encode()

    def response_part(self, payload: bytes, answer: bytes) -> bytes:
        """What is stored for this payload, whose answer this is; before AssembleWith.

        Raises RecordFormatError, and ResponseMismatchError when lines and records do not pair.
        """
        if not self._joins and self._output_filter is None:
            return answer
        inputs = self._records(payload, "input") if self._joins else []
        outputs = self._answers(answer, len(inputs) if self._joins else None)
        if self._joins:
            if len(outputs) != len(inputs):
                raise ResponseMismatchError(
                    f"the response has {len(outputs):,} lines for {len(inputs):,} records: nothing can be joined. "
                    "The container must answer one line per record."
                )
            join = _joined_rows if self._is_csv else _joined_json
            pairs = enumerate(zip(inputs, outputs, strict=True))
            outputs = [_applied(lambda pair: join(*pair), pair, "output", i) for i, pair in pairs]
        if self._output_filter is not None:
            outputs = [_applied(self._output_filter, record, "output", i) for i, record in enumerate(outputs)]
        ends = "\n" if self._ends_with_line_feed and not self._assembles_lines else ""
        return ("\n".join(outputs) + ends).encode()

    def _records(self, body: bytes, side: str) -> Sequence[Record]:
        text = _decoded(body, side)
        return _lines(text) if self._by_lines else [text]

    def _answers(self, answer: bytes, expected: int | None) -> Sequence[Record]:
        text = _decoded(answer, "output")
        if not self._by_lines or (expected == 1 and not self._is_csv):
            return [text.strip()]
        return _lines(text)


def _decoded(body: bytes, side: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise RecordFormatError(f"Failed to parse {side}: not UTF-8 at byte {error.start:,} of the payload") from error


def _lines(text: str) -> list[Record]:
    """Lines by LF, a CR before it gone; the empty text behind the last LF is none."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _applied(function: Callable[..., Record], record: object, side: str, index: int) -> Record:
    try:
        return function(record)
    except ValueError as error:
        raise RecordFormatError(f"Failed to parse {side} record {index + 1:,} of the payload: {error}") from error


def _row_filter(query: Query) -> Callable[[Record], Record] | None:
    """The filter of a CSV row; None for ``$``. An index outside the row raises ValueError (R7)."""
    if query.is_identity:
        return None
    pick: Evaluator = _as_list(query)

    def filtered(row: Record) -> Record:
        fields = row_fields(row)
        outside = [i for i in query.indexes if not -len(fields) <= i < len(fields)]
        if outside:
            raise ValueError(f"{query.text} picks column {outside[0]} of {len(fields)}")
        return ",".join(pick(fields))

    return filtered


def _as_list(query: Query) -> Evaluator:
    """As the query's evaluator, but one single field is a row of one field."""
    pick = query.evaluator()

    def picked(fields: Json) -> Json:
        found = pick(fields)
        return found if isinstance(found, list) else [found]

    return picked


def _json_filter(query: Query) -> Callable[[Record], Record] | None:
    """The filter of a JSON text; None for ``$``."""
    if query.is_identity:
        return None
    pick = query.evaluator()
    return lambda record: _compact(pick(json.loads(record)))


def _joined_rows(record: Record, output: Record) -> Record:
    """The input row followed by the output row; both must be rows (R6, R7)."""
    row_fields(record), row_fields(output)
    return f"{record},{output}"


def _joined_json(record: Record, output: Record) -> Record:
    """The input with the answer under SageMakerOutput; one that is no object goes under SageMakerInput (R8)."""
    given, answered = json.loads(record), json.loads(output)
    joined = given if isinstance(given, dict) else {INPUT: given}
    return _compact({**joined, OUTPUT: answered})


def _compact(value: Json) -> Record:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
