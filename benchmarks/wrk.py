"""wrk as the impartial client of the benchmarks: many bodies in rotation, c connections (Debian package wrk)."""

import json
import re
import resource
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCRIPT: Final = """
local requests, next = {{}}, 0
function init(args)
  wrk.headers["Content-Type"] = {content_type}
  local bodies = assert(io.open({bodies}, "rb"))
  for size in io.lines({sizes}) do
    requests[#requests + 1] = wrk.format("POST", nil, nil, bodies:read(tonumber(size)))
  end
  bodies:close()
end
function request()
  next = next % #requests + 1
  return requests[next]
end
function done(summary, latency, rates)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format("WRK %d %f %f %d\\n", summary.requests, summary.duration, latency.mean, failed))
end
"""


_FEW: Final = 400
"""Completions below which those cut off at the end would be seen in the rate: c of 400 is 1 % at c = 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk saw."""

    concurrency: int
    requests: int
    seconds: float
    mean_latency_s: float
    failed: int
    cpu_s: float
    """User and system time of wrk itself."""

    @property
    def requests_per_s(self) -> float:
        """Completed over the time that wrk says it took; of few, by Little's law from their mean latency.

        wrk begins with nothing in flight and does not count what is in flight at the end: up to c too few.
        """
        return self.requests / self.seconds if self.requests >= _FEW else self.concurrency / self.mean_latency_s


def load(url: str, *, bodies: Sequence[bytes], content_type: str, concurrency: int, seconds: float) -> Load:
    """POST the bodies in rotation over so many kept connections, for whole seconds, one at least.

    A body is built before the clock starts; the connections are in lockstep at first only as far as the server is.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "bodies").write_bytes(b"".join(bodies))
        (folder / "sizes").write_text("".join(f"{len(body)}\n" for body in bodies))
        quoted = {name: json.dumps(str(folder / name)) for name in ("bodies", "sizes")}
        script = folder / "script.lua"
        script.write_text(_SCRIPT.format(content_type=json.dumps(content_type), **quoted))
        command = ["wrk", "-t1", f"-c{concurrency}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run([*command, "-s", str(script), url], check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"^WRK (\d+) ([\d.]+) ([\d.]+) (\d+)$", out, re.MULTILINE)
    assert found is not None, out
    return Load(
        concurrency=concurrency,
        requests=int(found[1]),
        seconds=float(found[2]) / 1e6,
        mean_latency_s=float(found[3]) / 1e6,
        failed=int(found[4]),
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )
