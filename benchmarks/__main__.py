"""Every benchmark in turn: ``python -m benchmarks [NAME ...]``; see benchmarks/README.md for what each shows."""

import subprocess
import sys
from pathlib import Path
from typing import Final

NAMES: Final = (
    "hardware",
    "hardware_classes",
    "hardware_choice",
    "hardware_pairs",
    "points",
    "search",
    "warm_caches",
    "sampled_loop",
    "contention",
    "splitting",
    "load_client",
    "run_vs_wrk",
    "simulation",
    "unsteadiness",
    "cpu_limits",
    "recommendation",
    "prediction",
)
"""In order of length: the first takes seconds, the last a quarter of an hour."""


def main() -> None:
    """Run those that are named, or all, each in a process of its own."""
    names = sys.argv[1:] or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in names:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).parent / f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
