"""What a scan takes for granted where it was not told, and what it found that tends to go wrong in a job."""

from collections import Counter
from collections.abc import Mapping

from planner.records.checks import LineFindings
from planner.records.content_type import content_type_by_suffix
from planner.records.dataset import CompressionType, InputObject
from planner.records.listing import Listing
from planner.records.pack import MAX_PAYLOAD_MB
from planner.units import MIB


def compression_of(listing: Listing, given: CompressionType | None) -> tuple[CompressionType, tuple[str, ...]]:
    """The job's CompressionType, which holds for every object, and what to know about it."""
    zipped = sum(o.key.endswith(".gz") for o in listing.objects)
    if given is not None:
        return given, ()
    if zipped == len(listing.objects):
        warning = (
            "every object ends in .gz: taken as CompressionType Gzip. Use --compression-type None if the container "
            "is to get the compressed bytes."
        )
        return "Gzip", (warning,)
    if zipped:
        warning = (
            f"{zipped:,} of {len(listing.objects):,} objects end in .gz: CompressionType is one for the whole job and "
            "taken as None, so these would be sent compressed. Store all alike, or leave some out."
        )
        return "None", (warning,)
    return "None", ()


def content_type_of(listing: Listing, given: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The job's ContentType from the objects' suffixes, None where these do not tell, and what to know about it."""
    if given is not None:
        return given, ()
    found = Counter(content_type_by_suffix(o.key) for o in listing.objects)
    if len(found) == 1:
        kind = next(iter(found))
        return kind, () if kind else (
            "the suffixes do not tell the content type, which the job needs: --content-type.",
        )
    seen = ", ".join(f"{count:,} {kind or 'of another suffix'}" for kind, count in found.most_common())
    return None, (
        f"objects of several content types ({seen}): ContentType is one for the whole job; give --content-type.",
    )


def line_warnings(findings: Mapping[str, LineFindings]) -> tuple[str, ...]:
    """What was found in the lines of the objects, by key, that a job may trip over."""
    warnings = []
    blank = {key: f.blank_lines for key, f in findings.items() if f.blank_lines}
    if blank:
        warnings.append(
            f"{_total(blank, 'blank line')}: counted and sent as records; whether the service does is not documented, "
            "and most models fail on one. Remove them."
        )
    crlf = {key: f.crlf_lines for key, f in findings.items() if f.crlf_lines}
    if crlf:
        warnings.append(f"{_total(crlf, 'line')} ends in CR LF: the CR is counted and sent with the record.")
    headers = {key: 1 for key, f in findings.items() if f.has_header}
    if headers:
        warnings.append(
            f"{_total(headers, 'first line')} looks like a CSV header: it would be scored as a record, and only the "
            "first request of the object would hold it. Remove it."
        )
    odd = {key: f.odd_quote_lines for key, f in findings.items() if f.odd_quote_lines}
    if odd:
        key = next(iter(odd))
        warnings.append(
            f"{_total(odd, 'line')} has an odd number of quotes (record {findings[key].first_odd_quote_record:,} of "
            f"{key} first): line breaks inside quotes are not supported with SplitType Line."
        )
    return tuple(warnings)


def unsendable_warnings(objects: tuple[InputObject, ...]) -> tuple[str, ...]:
    """Records that no MaxPayloadInMB allows."""
    too_large = [o for o in objects if o.largest_record_bytes > MAX_PAYLOAD_MB * MIB]
    if not too_large:
        return ()
    worst = max(too_large, key=lambda o: o.largest_record_bytes)
    warning = (
        f"{len(too_large):,} of {len(objects):,} objects hold a record above {MAX_PAYLOAD_MB} MiB, which no request "
        f"can carry (the largest, {worst.largest_record_bytes:,} bytes, in {worst.key}): they would fail. "
        "Check --split-type."
    )
    return (warning,)


def _total(by_key: Mapping[str, int], noun: str) -> str:
    total = sum(by_key.values())
    first = next(iter(by_key))
    where = f"in {first}" if len(by_key) == 1 else f"in {len(by_key):,} objects, the first {first}"
    return f"{total:,} {noun}{'s' if total > 1 else ''} ({where})"
