"""The SageMaker Python SDK's local mode cuts one file, timed; `benchmarks.splitting` runs this with any interpreter.

``python sdk_local_mode.py FILE MAX_PAYLOAD_MB`` on an interpreter with ``sagemaker<3`` prints one JSON object: CPU
seconds of cutting FILE into MultiRecord bodies by lines, the digest of the bodies joined, and the SDK's version.
Without the SDK it exits with status 3. It imports nothing of the planner, which that interpreter does not have.
"""

import hashlib
import importlib
import json
import sys
import time
from importlib.metadata import version
from typing import Final

NOT_INSTALLED: Final = 3


def main(path: str, max_payload_mb: int) -> int:
    try:
        local = importlib.import_module("sagemaker.local.data")
    except ImportError as error:
        print(error, file=sys.stderr)
        return NOT_INSTALLED
    strategy = local.MultiRecordStrategy(local.LineSplitter())
    started = time.process_time()
    bodies = list(strategy.pad(path, size=max_payload_mb))
    cpu_s = time.process_time() - started
    digest = hashlib.sha256("".join(bodies).encode()).hexdigest()
    print(json.dumps({"cpu_s": cpu_s, "sha256": digest, "version": version("sagemaker")}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
