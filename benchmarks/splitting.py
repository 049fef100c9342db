"""How fast records are found, packed and counted: ``python -m benchmarks.splitting [--megabytes 256] [--rounds 9]``.

Everything runs on one CPU with its file in the page cache. Times are CPU seconds, user and system, which on a busy
machine other work disturbs least; `wc` is charged without its start-up (what it takes for an empty file). What is
compared stands in one round, in turn, and a ratio is the median of the rounds' ratios. The output also goes to
benchmarks/results/splitting.txt.

    line ends    exact end offset of every line, streamed from the file, against `wc -l` of the same file
    packing      greedy packing of 10**7 record sizes held in memory, in records per second
    one pass     request counts at all 100 payload limits and the size distribution, against line ends alone
    inspect      `planner inspect` on JSON Lines, with and without checking every line, in MB per second
    objects      `planner inspect` on many objects of 1 kB, in microseconds per object
    store        with --store-records 100000000: that many record sizes kept in memory and packed, time and memory
    local mode   request bodies against the SageMaker Python SDK's local mode, where that is installed; since it is
                 large and only compared with, it may be in another environment: --sdk-python VENV/bin/python, made by
                 python -m venv VENV && VENV/bin/pip install 'sagemaker<3'
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec

import numpy as np

from planner.records.decompress import iter_chunks
from planner.records.pack import pack, payload_limit_bytes
from planner.records.payloads import iter_payloads
from planner.records.policy import ASSUMED
from planner.records.scan import inspect
from planner.records.sizes import RecordSizeStore
from planner.records.split import LineSplitter
from planner.records.tally import Tally

LINE_BYTES = (50, 100, 200, 500, 1_000, 10_000)
PACKED_RECORDS = 10**7
SMALL_OBJECTS = 20_000
RESULTS = Path(__file__).parent / "results" / "splitting.txt"
SDK_LOCAL_MODE = Path(__file__).with_name("sdk_local_mode.py")
SDK_NOT_INSTALLED = 3
"""Its exit status where the interpreter has no SDK."""

P = ParamSpec("P")
shown: list[str] = []


def show(text: str) -> None:
    """Print, and keep for the stored output."""
    print(text, flush=True)
    shown.append(text)


def timed(work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> float:
    """CPU seconds of this process that one call takes."""
    started = time.process_time()
    work(*args, **kwargs)
    return time.process_time() - started


def timed_wc(path: Path) -> float:
    """CPU seconds that `wc -l` takes for the file, less its start-up."""
    used = [_children_seconds()]
    for counted in (path, Path(os.devnull)):
        wc(counted)
        used.append(_children_seconds())
    return (used[1] - used[0]) - (used[2] - used[1])


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_lines(path: Path, line_bytes: int, total_bytes: int) -> None:
    """JSON lines of half to one and a half times the length, seeded."""
    lengths = np.random.default_rng(line_bytes).integers(
        line_bytes // 2, line_bytes * 3 // 2, total_bytes // line_bytes
    )
    with path.open("wb") as stream:
        for length in lengths.tolist():
            stream.write(b'{"x":"' + b"a" * (length - 9) + b'"}\n')


def line_ends(path: Path) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """The ends of the file's lines, chunk by chunk, as a scan finds them."""
    splitter = LineSplitter()
    with path.open("rb", buffering=0) as stream:
        for chunk in iter_chunks(stream, "Line", "None", path.name):
            yield splitter.feed(chunk)
    yield splitter.finish()


def count_lines(path: Path) -> int:
    return sum(len(ends) for ends in line_ends(path))


def tally_lines(path: Path) -> tuple[int, ...]:
    tally = Tally(limit_bytes=None, most_oversized=0, policy=ASSUMED, sizes=None)
    for ends in line_ends(path):
        tally.add(path.name, ends)
    tally.end_object(path.name, 0)
    return tally.requests.requests_by_payload_mb()


def wc(path: Path) -> int:
    shown = subprocess.run(["wc", "-l", path], capture_output=True, check=True, text=True).stdout
    return int(shown.split()[0])


def bench_lines(folder: Path, total_bytes: int, rounds: int) -> None:
    show(f"\n{'line bytes':>12}{'wc -l MB/s':>12}{'line ends MB/s':>16}{'ratio':>7}{'one pass MB/s':>15}{'ratio':>7}")
    for line_bytes in LINE_BYTES:
        path = folder / f"{line_bytes}.jsonl"
        write_lines(path, line_bytes, total_bytes)
        assert count_lines(path) == wc(path)
        size = path.stat().st_size / 1e6
        times = [(timed_wc(path), timed(count_lines, path), timed(tally_lines, path)) for _ in range(rounds)]
        reference, ends, tally = (size / statistics.median(column) for column in zip(*times, strict=True))
        ends_ratio = statistics.median(row[0] / row[1] for row in times)
        tally_ratio = statistics.median(row[0] / row[2] for row in times)
        show(f"{line_bytes:>12,}{reference:>12,.0f}{ends:>16,.0f}{ends_ratio:>7.2f}{tally:>15,.0f}{tally_ratio:>7.2f}")


def bench_packing(rounds: int) -> None:
    show(f"\n{'record bytes':>14}{'MaxPayloadInMB':>16}{'records/request':>17}{'million records/s':>19}")
    source = np.random.default_rng(0)
    for mean, payload_mb in ((100, 1), (1_000, 6), (10_000, 6), (100_000, 6), (400_000, 1), (600_000, 1)):
        sizes = source.integers(mean // 2, mean * 3 // 2, PACKED_RECORDS)
        limit = payload_limit_bytes(payload_mb)
        took = statistics.median(timed(pack, sizes, limit) for _ in range(rounds))
        per_request = PACKED_RECORDS / len(pack(sizes, limit))
        show(f"{mean:>14,}{payload_mb:>16}{per_request:>17,.1f}{PACKED_RECORDS / took / 1e6:>19,.0f}")


def bench_inspect(folder: Path, rounds: int) -> None:
    show(f"\n{'inspect':>14}{'checked MB/s':>14}{'--no-validate MB/s':>20}")
    for line_bytes in (100, 500):
        path = folder / f"{line_bytes}.jsonl"
        checked, unchecked = (
            path.stat().st_size
            / 1e6
            / statistics.median(timed(inspect, path, validate=validate) for _ in range(rounds))
            for validate in (True, False)
        )
        show(f"{line_bytes:>12} B{checked:>14,.0f}{unchecked:>20,.0f}")


def bench_objects(folder: Path, rounds: int) -> None:
    small = folder / "objects"
    small.mkdir()
    content = b'{"x":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n' * 20
    for number in range(SMALL_OBJECTS):
        (small / f"{number:05}.jsonl").write_bytes(content)
    checked, unchecked = (
        statistics.median(timed(inspect, small, validate=validate) for _ in range(rounds)) / SMALL_OBJECTS * 1e6
        for validate in (True, False)
    )
    show(f"\n{SMALL_OBJECTS:,} objects of {len(content):,} bytes: {checked:.0f} us each, {unchecked:.0f} unchecked")


def bench_store(records: int) -> None:
    """Sizes of 30 to 60,000 bytes, mostly some hundreds, seeded, in objects of about 10**6 records."""
    source = np.random.default_rng(0)
    piece = np.clip(source.lognormal(6, 1, 2**16), 30, 60_000).astype(np.int64)
    before = _resident_bytes()
    store = RecordSizeStore()

    def fill() -> None:
        while store.records < records:
            for start in range(0, min(10**6, left := records - store.records), len(piece)):
                store.add(source.permutation(piece)[: left - start])
            store.end_object(f"{store.records}")

    filled = timed(fill)
    show(f"\n{store.records:,} record sizes kept: {store.stored_bytes / 1e6:,.0f} MB, filled in {filled:.1f} s")
    for payload_mb in (1, 6, 100):
        took = timed(store.records_per_request, payload_limit_bytes(payload_mb))
        requests = len(store.records_per_request(payload_limit_bytes(payload_mb)))
        show(f"    packed at {payload_mb:>3} MiB: {requests:>9,} requests in {took:.2f} s")
    show(f"    most memory above the start: {(_resident_bytes() - before) / 1e6:,.0f} MB")


def _resident_bytes() -> int:
    """The most memory that the process has held up to now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def bench_local_mode(folder: Path, interpreter: str) -> None:
    """A 6 MB file of 100-byte lines at MaxPayloadInMB 6, in the SDK's local mode and here."""
    path = folder / "local.txt"
    path.write_bytes((b"a" * 99 + b"\n") * 60_000)
    run = subprocess.run([interpreter, SDK_LOCAL_MODE, path, "6"], capture_output=True, check=False, text=True)
    if run.returncode == SDK_NOT_INSTALLED:
        show("\nlocal mode: not compared, the SageMaker Python SDK (below version 3) is not installed (--sdk-python)")
        return
    run.check_returncode()
    theirs = json.loads(run.stdout.splitlines()[-1])

    def ours() -> list[bytes]:
        with path.open("rb") as stream:
            bodies = iter_payloads(stream, split_type="Line", batch_strategy="MultiRecord", max_payload_mb=6)
            return [payload.body for payload in bodies]

    assert hashlib.sha256(b"".join(ours())).hexdigest() == theirs["sha256"]
    took = theirs["cpu_s"]
    here = statistics.median(timed(ours) for _ in range(9))
    show(
        f"\nlocal mode of the SDK {theirs['version']}: {took:.2f} s for 6 MB; here {here * 1e3:.2f} ms: "
        f"{took / here:,.0f} times as fast"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=256, help="size of each file of lines")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--store-records", type=int, default=0, help="records of the store benchmark; 0 leaves it out")
    parser.add_argument("--sdk-python", default=sys.executable, help="interpreter that has the SDK of local mode")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # The stored output names no folder of the machine.
    arguments = " ".join(sys.argv[1:]).replace(asked.sdk_python, "VENV/bin/python")
    show(f"# python -m benchmarks.splitting {arguments}".rstrip())
    show(f"# numpy {np.__version__}, Python {platform.python_version()}, {platform.machine()}, one CPU, CPU seconds")
    if asked.store_records:
        bench_store(asked.store_records)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench_lines(folder, asked.megabytes * 10**6, asked.rounds)
        bench_packing(max(asked.rounds // 3, 1))
        bench_inspect(folder, max(asked.rounds // 3, 1))
        bench_objects(folder, max(asked.rounds // 3, 1))
        bench_local_mode(folder, asked.sdk_python)
    RESULTS.write_text("\n".join(shown) + "\n")


if __name__ == "__main__":
    main()
