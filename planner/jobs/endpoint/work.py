"""One transform job from S3 to S3: a process of its own, ``python -m planner.jobs.endpoint.work SCRATCH``.

The endpoint writes the order into the scratch folder and holds the other end of standard input; when that closes (the
job is to be stopped, or the endpoint is gone, however it went), the job unwinds as on Ctrl-C, and its containers with
it. What became of it stands in the scratch folder at the end. A process, because a job must be stoppable at any moment,
while a container starts too, and because jobs side by side should not share an interpreter's lock.
"""

import json
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple, NoReturn

import msgspec

from planner.documents import Json
from planner.errors import (
    ContainerDiedError,
    ContainerLimitError,
    ContainerStartError,
    InputMissingError,
    ModelArchiveError,
    OutputError,
    PlannerError,
    RequestRejectedError,
)
from planner.jobs.endpoint.images import instance_opener
from planner.jobs.endpoint.order import ORDER, OUTCOME, Order, Outcome, failed
from planner.jobs.endpoint.places import Place, manifest_entries, output_place, place_of, relative_key
from planner.jobs.endpoint.storage import Storage, open_storage

_NAMED_FAILURES: Final = 3
_ARCHIVE: Final = "model.tar.gz"
_NUMBER: Final = re.compile(r"object-\d{9,}")


class _Input(NamedTuple):
    """An input object and the key of its output below S3OutputPath, without ``.out``."""

    place: Place
    relative: str


def carry_out(order: Order, scratch: Path) -> Outcome:
    """The job, from reading S3 to writing it. Raises nothing but KeyboardInterrupt and what is a bug."""
    try:
        return _carried_out(order, scratch)
    except PlannerError as error:
        return failed(_told(error, order, scratch))


def _told(error: PlannerError, order: Order, scratch: Path) -> str:
    """The failure as FailureReason begins and names things: the Model's archive by its URL, not by our copy."""
    return f"{_blame(error)}: {error}".replace(str(scratch / _ARCHIVE), order.container.get("ModelDataUrl", ""))


def _blame(error: PlannerError) -> str:
    """The class of a failure, as FailureReason begins with it."""
    match error:
        case ContainerStartError() | ContainerDiedError():
            return "AlgorithmError"
        case InputMissingError() | ModelArchiveError() | OutputError() | RequestRejectedError() | ContainerLimitError():
            return "ClientError"
    return "InternalServerError"


def _carried_out(order: Order, scratch: Path) -> Outcome:
    from planner.jobs.local import run_job, settings_of

    storage = open_storage(order.storage)
    request = order.request
    output = place_of(request["TransformOutput"]["S3OutputPath"])
    if not storage.has_bucket(output.bucket):
        raise OutputError(f"NoSuchBucket: {output.uri}: the output's bucket does not exist.")
    inputs = _inputs(storage, request["TransformInput"]["DataSource"]["S3DataSource"], scratch)
    opener = instance_opener(
        order.container,
        order.images,
        archive=_archive(storage, order.container, scratch),
        scratch=scratch,
        startup_timeout_s=order.startup_timeout_s,
        network=order.network,
    )
    names = _staged(storage, inputs, scratch)
    folder = scratch / "output"
    try:
        run = run_job(scratch / "input.manifest", folder, settings_of(request), opener)
    except PlannerError as error:
        _store(storage, names, folder, output)
        return failed(_renamed(_told(error, order, scratch), names))
    _store(storage, names, folder, output)
    notes = (*(_renamed(note, names) for note in run.warnings), *_not_done(request))
    failures = [_renamed(row.failure, names) for row in run.objects if row.failure is not None]
    if not failures:
        return Outcome(status="Completed", notes=notes)
    blame = "ClientError" if any("ClientError" in failure for failure in failures) else "AlgorithmError"
    more = f"; and {len(failures) - _NAMED_FAILURES:,} more" if len(failures) > _NAMED_FAILURES else ""
    listed = "; ".join(failures[:_NAMED_FAILURES])
    of_all = f"{len(failures):,} of {len(run.objects):,} objects have no output"
    return failed(f"{blame}: {of_all}: {listed}{more}", (*notes, *failures))


def _inputs(storage: Storage, source: Json, scratch: Path) -> Sequence[_Input]:
    """The input objects in key order. Raises InputMissingError if there is none."""
    place = place_of(source["S3Uri"])
    if source["S3DataType"] == "S3Prefix":
        inputs = [_Input(Place(place.bucket, key), relative_key(place, key)) for key in storage.keys(place)]
    elif source["S3DataType"] == "ManifestFile":
        manifest = scratch / "given.manifest"
        storage.fetch(place, manifest)
        prefix, rests = manifest_entries(manifest.read_bytes(), place.uri)
        inputs = [_Input(Place(prefix.bucket, prefix.key + rest), rest) for rest in sorted(rests, key=str.encode)]
    else:
        raise RequestRejectedError(f"S3DataType {source['S3DataType']} is not run here. Use S3Prefix or ManifestFile.")
    if not inputs:
        raise InputMissingError(f"No S3 objects found under {place.uri}")
    return inputs


def _archive(storage: Storage, container: Json, scratch: Path) -> Path | None:
    """The Model's archive, fetched; None when the Model has none."""
    if "ModelDataUrl" not in container:
        return None
    archive = scratch / _ARCHIVE
    storage.fetch(place_of(container["ModelDataUrl"]), archive)
    return archive


def _staged(storage: Storage, inputs: Sequence[_Input], scratch: Path) -> dict[str, _Input]:
    """Fetch the inputs under numbers that keep their order, and write the manifest that names them.

    S3 keys can be what no file name can (``a`` beside ``a/b``, ``..``, 1,024 bytes between slashes), and a hidden file
    is an object like any other.
    """
    folder = scratch / "input"
    folder.mkdir()
    names = {f"object-{number:09}": given for number, given in enumerate(inputs)}
    for name, given in names.items():
        storage.fetch(given.place, folder / name)
    (scratch / "input.manifest").write_text(json.dumps([{"prefix": "input/"}, *names]))
    return names


def _store(storage: Storage, names: dict[str, _Input], folder: Path, output: Place) -> None:
    """Store the outputs that are whole; others do not stand under their names. Raises OutputError."""
    for name, given in names.items():
        path = folder / f"{name}.out"
        if path.exists():
            storage.store(path, output_place(output, given.relative))


def _renamed(text: str, names: dict[str, _Input]) -> str:
    """The text with ``bucket/key``, as the service's logs name objects, for our numbers."""

    def real(found: re.Match[str]) -> str:
        given = names.get(found[0])
        return found[0] if given is None else f"{given.place.bucket}/{given.place.key}"

    return _NUMBER.sub(real, text)


def _not_done(request: Json) -> tuple[str, ...]:
    """What the request asks for and is not done here."""
    asked = {
        "DataCaptureConfig is not carried out here: nothing is captured.": "DataCaptureConfig" in request,
        "KmsKeyId is not used here: outputs are not encrypted.": bool(request["TransformOutput"].get("KmsKeyId")),
    }
    return tuple(note for note, is_asked in asked.items() if is_asked)


def _stop_with_standard_input() -> None:
    """Interrupt the main thread when the other end of standard input has closed."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: a daemon thread must not hold its lock when the interpreter ends
            pass
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="stop with standard input").start()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what unwinds is not interrupted again
    raise KeyboardInterrupt


def main(scratch: Path) -> None:
    """Do what the order in the folder says, and leave the outcome beside it."""
    order = msgspec.json.decode((scratch / ORDER).read_bytes(), type=Order)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _stop_with_standard_input()
        outcome = carry_out(order, scratch)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except KeyboardInterrupt:
        outcome = Outcome(status="Stopped")
    if os.getppid() == order.endpoint:
        (scratch / OUTCOME).write_bytes(msgspec.json.encode(outcome))
    else:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
