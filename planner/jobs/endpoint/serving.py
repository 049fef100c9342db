"""The endpoint as a whole: storage, jobs and server, from opening to closing."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.jobs.endpoint.actions import Actions
from planner.jobs.endpoint.executing import Execution, Runs
from planner.jobs.endpoint.storage import open_storage
from planner.jobs.endpoint.store import Quotas

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer


@contextlib.contextmanager
def open_endpoint(execution: Execution, *, quotas: Quotas | None = None, port: int = 0) -> Iterator["BaseWSGIServer"]:
    """A server that listens on 127.0.0.1 and is run with ``serve_forever``; the end stops all jobs.

    port: 0 is a free one; `server.port` says which. Raises OSError if the port is taken, InputMissingError if the
    bucket root is no folder.
    """
    from planner.jobs.endpoint.protocol import Endpoint, listen  # jobs' processes import this package, and no server

    storage = open_storage(execution.storage)
    runs = Runs(execution, storage)
    server = listen(Endpoint(Actions(storage, runs, quotas or Quotas())), port)
    try:
        yield server
    finally:
        try:
            server.server_close()
        finally:
            runs.close()
