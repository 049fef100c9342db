"""What the tests of this room read: bytes of every split type, and writers that share no code with the planner."""

import struct
from itertools import pairwise
from pathlib import Path

import tfrecord
from hypothesis import strategies as st

MAGIC = struct.pack("<I", 0xCED7230A)


def recordio_frame(payload: bytes) -> bytes:
    """What dmlc's RecordIOWriter::WriteRecord writes: cut at every magic on a 4-byte boundary of the payload."""
    cuts = [at for at in range(0, len(payload) - len(payload) % 4, 4) if payload[at : at + 4] == MAGIC]
    edges = [-4, *cuts, len(payload)]
    parts = [payload[a + 4 : b] for a, b in pairwise(edges)]
    frame = b""
    for i, part in enumerate(parts):
        flag = 0 if len(parts) == 1 else 1 if i == 0 else 3 if i == len(parts) - 1 else 2
        frame += MAGIC + struct.pack("<I", flag << 29 | len(part)) + part + b"\0" * (-len(part) % 4)
    return frame


def write_tfrecords(path: Path, payloads: list[bytes]) -> bytes:
    """The bytes of a file that the `tfrecord` package wrote with each payload as the one feature of an Example."""
    writer = tfrecord.TFRecordWriter(str(path))
    for payload in payloads:
        writer.write({"payload": (payload, "byte")})
    writer.close()
    return path.read_bytes()


line_bytes = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"\xff\x00", b"caf\xc3\xa9", b"x" * 70])).map(
    b"".join
)
recordio_payloads = st.lists(
    st.lists(st.sampled_from([MAGIC, b"a", b"bcd", b"\0\0\0\0", b"y" * 50]), max_size=6).map(b"".join), max_size=8
)


def chunks_of(content: bytes, cuts: list[int]) -> list[bytes]:
    """The content cut at these positions (taken modulo its length)."""
    edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    return [content[a:b] for a, b in pairwise(edges)]
