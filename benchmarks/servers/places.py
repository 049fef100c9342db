"""Three places and slow requests: a remote accelerator with long, variable service times."""

import random
import threading
import time

from serving import Records, serve_threads

PLACES = threading.Semaphore(3)
RANDOM = random.Random(0)


def answer(records: Records) -> Records:
    with PLACES:
        time.sleep((30e-3 + 6e-5 * len(records)) * RANDOM.gammavariate(4, 0.25))
    return [record[:4].hex().encode() for record in records]


serve_threads(answer)
