"""A result cache that warms: records seen before cost little, 4,096 are kept, first in first out."""

from collections import OrderedDict

from serving import Records, burn, serve_threads

CACHE: OrderedDict[bytes, bytes] = OrderedDict()


def answer(records: Records) -> Records:
    results = []
    for record in records:
        result = CACHE.get(record)
        if result is None:
            result = burn(record, 60)
            CACHE[record] = result
            if len(CACHE) > 4096:
                CACHE.popitem(last=False)
        results.append(result)
    return results


serve_threads(answer)
