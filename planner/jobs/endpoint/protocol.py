"""AWS JSON 1.1 over HTTP: ``POST /`` with ``X-Amz-Target: SageMaker.CreateTransformJob`` and a JSON body.

On werkzeug: requests, responses and a threaded server in one typed package that inference-server brings anyway; there
is nothing to await here, so an ASGI framework with a server of its own would be two more for no gain.

Signatures are not verified, and no header but the region in the Authorization's scope is looked at. The server is
reachable from this machine only, and not from web pages in its browsers: a page cannot send X-Amz-Target without a
permission (CORS) that is never given, and a request must name the loopback as its host (DNS rebinding).
"""

import json
import logging
import re
import socket
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from planner.documents import Json
from planner.jobs.endpoint.actions import Actions
from planner.jobs.endpoint.refusal import SERIALIZATION, UNKNOWN_OPERATION, Refusal
from planner.units import MIB

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HOST: Final = "127.0.0.1"
LARGEST_BODY_BYTES: Final = 4 * MIB
"""Above the largest request that the shapes allow: 15 containers with 100 variables of 2 KiB each."""
DEFAULT_REGION: Final = "us-east-1"
"""For requests that are not signed."""
_SCOPE: Final = re.compile(r"Credential=[^,/]*/\d{8}/(?P<region>[a-z0-9-]{1,32})/sagemaker/aws4_request")
_CONTENT_TYPE: Final = "application/x-amz-json-1.1"

_log: Final = logging.getLogger("planner.endpoint")


class _Call(Request):
    max_content_length = LARGEST_BODY_BYTES
    trusted_hosts = [HOST, "localhost"]  # noqa: RUF012 - werkzeug's own way to set it


class Endpoint:
    """The WSGI application."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The answer to one request, as WSGI has it."""
        return self._answered(_Call(environ))(environ, start_response)

    def _answered(self, call: _Call) -> Response:
        operation = call.headers.get("X-Amz-Target", "")
        try:
            answer = self._answer(call, operation)
        except Refusal as refusal:
            _log.info("%s: %s: %s", operation or call.method, refusal.code, refusal.message)
            return _response(400, {"__type": refusal.code, "Message": refusal.message})
        except RequestEntityTooLarge:
            message = f"The body has more than {LARGEST_BODY_BYTES} bytes."
            return _response(413, {"__type": "RequestEntityTooLargeException", "Message": message})
        except HTTPException as error:
            return _response(error.code or 400, {"__type": error.name.replace(" ", ""), "Message": error.description})
        except Exception:  # noqa: BLE001 - a bug must answer too
            _log.exception("%s failed", operation)
            return _response(500, {"__type": "InternalFailure", "Message": "A fault of the endpoint; its log has it."})
        return _response(200, answer)

    def _answer(self, call: _Call, target: str) -> Json:
        """What the operation answers. Raises Refusal, HTTPException."""
        host = call.host  # raises SecurityError for hosts that are not trusted
        service, _, operation = target.partition(".")
        if call.method != "POST" or service != "SageMaker" or operation not in self._actions.operations:
            served = ", ".join(self._actions.operations)
            asked = f"{call.method} {target}".strip()
            raise Refusal(UNKNOWN_OPERATION, f"{asked} is not served at {host}. This endpoint serves {served}.")
        answer = self._actions.call(operation, _region(call), _parsed(call.get_data()))
        _log.debug("%s", operation)
        return answer


def _region(call: _Call) -> str:
    """The region that the client signed for; the access key before it is not looked at."""
    found = _SCOPE.search(call.headers.get("Authorization", ""))
    return found["region"] if found else DEFAULT_REGION


def _parsed(body: bytes) -> Json:
    def refuse(constant: str) -> Json:
        raise ValueError(constant)

    try:
        return json.loads(body or b"{}", parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Refusal(SERIALIZATION, "The body is not JSON.") from error


def _response(status: int, answer: Json) -> Response:
    body = b"" if answer is None else json.dumps(answer).encode()
    response = Response(body, status=status, content_type=_CONTENT_TYPE)
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return response


class _Handler(WSGIRequestHandler):
    """One request a connection, and silent: what is worth a line, the endpoint says itself."""

    protocol_version = "HTTP/1.0"
    timeout = 60

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002, ARG002 - werkzeug's signature
        """Nothing but for debugging."""
        _log.debug(message, *args)


def listen(application: Endpoint, port: int) -> BaseWSGIServer:
    """A server on the loopback, listening; port 0 is a free one, `server.port` says which. Raises OSError."""
    listener = socket.create_server((HOST, port), backlog=128)
    with listener:
        return make_server(HOST, port, application, threaded=True, request_handler=_Handler, fd=listener.fileno())
