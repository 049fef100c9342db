"""A lock around a model that is not thread-safe; parsing before it is free to overlap, the device behind it not."""

import threading
import time

from serving import Records, burn, serve_threads

LOCK = threading.Lock()


def answer(records: Records) -> Records:
    results = [burn(record, 4) for record in records]
    with LOCK:
        time.sleep(1e-3 + 3e-5 * len(records))
    return results


serve_threads(answer)
