"""The short way of an inference request over HTTP, in front of MLServer's own application.

MLServer checks and copies a request several times on its way (1 ms of one core); this reads the same V2 JSON once. What
it does not know (other paths, binary tensors, models without `answer`) goes the long way.

Of its own it has `POST /v2/models/NAME/feedback` (what an answer was worth) and `GET /tidegate/answers`, for who
compares two models' answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson  # type: ignore[import-not-found,unused-ignore]

from tidegate.serving.served import status_of
from tidegate.serving.tensors import BadRequestError

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
ModelOf = Callable[[str, str | None], Awaitable[Any]]

_MOST_BYTES = 64 * 1024 * 1024  # of a request's body
_JSON = (b"content-type", b"application/json")


class FastApplication:
    """An ASGI application. `model_of`: MLServer's registry; raises where there is no such model."""

    def __init__(self, application: Application, model_of: ModelOf) -> None:
        self._application, self._model_of = application, model_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._application(scope, receive, send)
        path = scope["path"].split("/")
        if scope["path"] == "/tidegate/answers":
            return await self._answers(scope, send)
        if scope["method"] != "POST" or len(path) not in (5, 7) or path[1:3] != ["v2", "models"]:
            return await self._application(scope, receive, send)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        binary = "inference-header-content-length" in headers or "content-encoding" in headers
        if path[-1] not in ("infer", "feedback") or binary:
            return await self._application(scope, receive, send)
        try:
            model = await self._model_of(path[3], path[5] if len(path) == 7 else None)
        except Exception:  # MLServer says in its own words that there is no such model
            model = None
        if not model or not model.ready or not hasattr(model, "answer"):
            return await self._application(scope, receive, send)
        return await _reply(model, path[-1], headers, receive, send)

    async def _answers(self, scope: Scope, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        try:
            model = await self._model_of(query["model"][0], None)
            kept = model.answers_after(int(query.get("after", ["0"])[0]))
        except Exception:
            return await _send(send, 404, b'{"error": "no such model: expected ?model=NAME&after=NUMBER"}')
        return await _send(send, 200, orjson.dumps(kept))


async def _reply(model: Any, what: str, headers: dict[str, str], receive: Receive, send: Send) -> None:
    body = await _body(receive)
    if body is None:
        return None  # the client has gone
    try:
        if len(body) > _MOST_BYTES:
            raise BadRequestError(f"the request has more than {_MOST_BYTES} bytes")
        said = _read(body)
        if what == "infer":
            answer = orjson.dumps(await model.answer(said, headers))
        else:
            model.feedback(said, headers)
            answer = b"{}"
    except Exception as error:
        status = status_of(error)
        text = str(error) if status < 500 or status == 503 else f"{type(error).__name__}: {error}"
        return await _send(send, status, orjson.dumps({"error": text}), model.extras.instance)
    return await _send(send, 200, answer, model.extras.instance)


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the request is no JSON: {error}") from None


async def _body(receive: Receive) -> bytes | None:
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size <= _MOST_BYTES + 1:
            parts.append(part[: _MOST_BYTES + 1])
        if not message.get("more_body"):
            return b"".join(parts) if size <= _MOST_BYTES else b" " * (_MOST_BYTES + 1)


async def _send(send: Send, status: int, body: bytes, served_by: str = "") -> None:
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    if served_by:
        headers.append((b"x-served-by", served_by.encode("latin-1", "replace")))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
