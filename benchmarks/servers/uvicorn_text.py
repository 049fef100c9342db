"""Found in the wild: uvicorn and Starlette, a synchronous endpoint on their thread pool, a scikit-learn text model.

Hashed words and a linear model, as tutorials show it.
"""

import uvicorn
from serving import PORT
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WORDS = HashingVectorizer(n_features=2**14)
TEXTS = [f"{kind} number {i} of the {kind}s" for i in range(100) for kind in ("ham", "spam")]
MODEL = SGDClassifier(random_state=0).fit(WORDS.transform(TEXTS), ["ham", "spam"] * 100)


def answer(body: bytes) -> bytes:
    return "\n".join(MODEL.predict(WORDS.transform(body.decode().splitlines()))).encode() + b"\n"


async def invocations(request: Request) -> Response:
    return Response(await run_in_threadpool(answer, await request.body()), media_type="application/jsonlines")


async def ping(_request: Request) -> Response:
    return Response()


APP = Starlette(routes=[Route("/invocations", invocations, methods=["POST"]), Route("/ping", ping)])

uvicorn.run(APP, host="127.0.0.1", port=PORT, log_level="warning", access_log=False)
