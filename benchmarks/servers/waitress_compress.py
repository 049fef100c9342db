"""Found in the wild: waitress with its four threads, records told apart by how well they compress with examples.

A parameter-free text classifier (Jiang et al., "Low-Resource Text Classification", 2023); zlib lets go of the
interpreter while it compresses.
"""

import json
import random
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from serving import PORT
from waitress import serve

SOURCE = random.Random(0)
EXAMPLES = [SOURCE.randbytes(150).hex().encode() for _ in range(2)]
ALONE = [len(zlib.compress(example)) for example in EXAMPLES]


def label(record: bytes) -> int:
    text = json.loads(record)["text"].encode()
    longer = [len(zlib.compress(example + text)) - alone for example, alone in zip(EXAMPLES, ALONE, strict=True)]
    return longer.index(min(longer))


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    records = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).splitlines()
    start_response("200 OK", [("Content-Type", "application/jsonlines")])
    return [b"".join(b"%d\n" % label(record) for record in records)]


serve(app, host="127.0.0.1", port=PORT, threads=4)
