"""The small image that the Docker tests run, and what a container could leave on an engine."""

import io
import tarfile
from contextlib import closing
from functools import cache
from pathlib import Path

from planner.container.docker_engine import NAME, connect
from planner.errors import MissingDependencyError
from tests.container.traces import HERE

BASE = "batch-transform-planner/base"
IMAGE = "batch-transform-planner/contract-test"
DOCKERFILE = f"""
FROM {BASE}
COPY serve /usr/local/bin/serve
COPY plain.py /opt/plain.py
RUN ["chmod", "755", "/usr/local/bin/serve"]
ENV BIND=0.0.0.0 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/usr/local/bin:/usr/bin:/bin
"""
SERVE = '#!/bin/sh\nexec "$(command -v python3)" /opt/plain.py /opt/ml/model\n'


@cache
def why_not() -> str:
    """Why Docker tests cannot run here; empty if they can. Builds the test image when it is asked first."""
    try:
        engine = connect()
    except MissingDependencyError as error:
        return f"Docker tests skipped: {error}"
    with closing(engine):
        if not engine.client.images.list(BASE):
            return f"Docker tests skipped: no image {BASE} at {engine.host}; make it with: containers/engine.sh base"
        files = {"Dockerfile": DOCKERFILE, "serve": SERVE, "plain.py": (HERE / "servers" / "plain.py").read_text()}
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        context.seek(0)
        engine.client.images.build(fileobj=context, custom_context=True, tag=IMAGE, rm=True)
    return ""


def has_image(name: str) -> bool:
    """True if the engine has that image."""
    with closing(connect()) as engine:
        return bool(engine.client.images.list(name))


def engine_traces(owner: int) -> list[str]:
    """Containers and networks that the planner with that number has on the engine."""
    wanted = {"label": f"{NAME}.process={owner}"}
    with closing(connect()) as engine:
        containers = engine.client.api.containers(all=True, filters=wanted)
        networks = engine.client.api.networks(filters=wanted)
    return [str(found["Id"]) for found in (*containers, *networks)]


def model_archive(folder: Path, model: Path) -> Path:
    """A model.tar.gz of the model in the folder."""
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("inference.py", "factor.txt"):
            archive.add(model / name, name)
    return path
