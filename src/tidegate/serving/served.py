"""What our runtimes have in common: each request is answered, timed, counted, logged. V2's JSON as plain data."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import time
import uuid
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlserver import MLModel  # type: ignore[import-not-found,unused-ignore]
from mlserver.errors import InferenceError  # type: ignore[import-not-found,unused-ignore]
from mlserver.types import (  # type: ignore[import-not-found,unused-ignore]
    InferenceRequest,
    InferenceResponse,
    ResponseOutput,
)
from mlserver.utils import get_model_uri  # type: ignore[import-not-found,unused-ignore]
from prometheus_client import REGISTRY

from tidegate.serving import counting
from tidegate.serving.batching import OverloadedError
from tidegate.serving.counting import Counter, Slice
from tidegate.serving.exposition import Collector
from tidegate.serving.payloads import LogSettings, PayloadLog
from tidegate.serving.settings import Extras
from tidegate.serving.tensors import BadRequestError, Tensor
from tidegate.serving.verifying import check

Headers = Mapping[str, str]


class Served(MLModel):  # type: ignore[misc,unused-ignore]
    """One loaded model. A subclass says how it is loaded (`open`) and how it answers (`infer`)."""

    @abstractmethod
    async def open(self, folder: Path, extras: Extras) -> None:
        """Load what is in `folder`, which has been verified."""

    @abstractmethod
    async def infer(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        """Raises: BadRequestError, OverloadedError."""

    def fields(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Sequence[Any]]:
        """The values of a request's inputs, by which slices are told apart."""
        return {name: tensor.data for name, tensor in inputs.items()}

    def reward(self, value: float, feedback: Mapping[str, Any]) -> None:
        """Somebody says what an answer was worth."""

    # ------------------------------------------------------------ MLServer's side
    _loaded = False

    async def load(self) -> bool:
        """Verify, load, answer once. Raises: UntrustedModelError, FileNotFoundError, ValueError."""
        self.extras = extras = Extras.read(getattr(self._settings.parameters, "extra", None))
        folder = Path(await get_model_uri(self._settings))
        check(folder, extras.digest, Path(extras.public_key) if extras.public_key else None)
        self.counter = Counter([Slice.parse(s) for s in extras.slices])
        self._slices_read = 0.0
        await self.open(folder, extras)
        self._kept: deque[tuple[int, str, dict[str, Sequence[Any]]]] = deque(maxlen=extras.keep_answers or 1)
        self._number = 0
        self.log = None
        if extras.payload_log:
            about = LogSettings(Path(extras.payload_log), extras.payload_share, extras.payload_bytes)
            self.log = PayloadLog(about, self.name, self.version or "", f"{self.name}-{os.getpid()}")
        self._collector = Collector(self.name, self.version or "", self.counter, self._payloads, self._read_slices)
        REGISTRY.register(self._collector)
        gc.collect()
        gc.freeze()  # what is loaded stays: to look at it again and again would stop answers for 50 ms each time
        self._loaded = True
        return True

    async def unload(self) -> bool:
        if not self._loaded:  # MLServer unloads what failed to load as well
            return True
        REGISTRY.unregister(self._collector)
        if self.log:
            self.log.close()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """How MLServer asks: by gRPC, or where our faster path over HTTP does not take the request.

        Raises: InferenceError (HTTP 400) for a request that does not fit the model.
        """
        request = {
            "id": payload.id,
            "inputs": [
                {
                    "name": i.name,
                    "shape": i.shape,
                    "datatype": str(getattr(i.datatype, "value", i.datatype)),
                    "data": getattr(i.data, "root", i.data),
                }
                for i in payload.inputs
            ],
        }
        headers = getattr(payload.parameters, "headers", None) or {}
        try:
            answer = await self.answer(request, {k.lower(): v for k, v in headers.items()})
        except BadRequestError as error:
            raise InferenceError(str(error)) from None
        outputs = [ResponseOutput(**output) for output in answer["outputs"]]
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=self.version, outputs=outputs)

    # ------------------------------------------------------------ the answer
    async def answer(self, request: Any, headers: Headers) -> dict[str, Any]:
        """A V2 inference request and its response, as JSON would hold them. headers: by lower-case name.

        Raises: BadRequestError, OverloadedError.
        """
        began = time.perf_counter()
        inputs = Tensor.of_request(request)
        counted = self.counter.of(headers, self.fields(inputs) if self.counter.slices else {})
        try:
            outputs = await self.infer(inputs)
        except BadRequestError:
            raise
        except Exception:
            for counts in counted:
                counts.answered(time.perf_counter() - began, ok=False)
            raise
        took = time.perf_counter() - began
        for counts in counted:
            counts.answered(took, ok=True)
            for output in outputs:
                counts.predicted(output.name, counting.answers(output.data, output.width))
        request_id = str(request.get("id") or headers.get("x-request-id") or uuid.uuid4())
        self._remember(request_id, inputs, outputs)
        return {
            "model_name": self.name,
            "model_version": self.version,
            "id": request_id,
            "outputs": [o.written() for o in outputs],
        }

    def feedback(self, said: Any, headers: Headers) -> None:
        """`{"reward": 1.0, "name": "reward", "id": ..., "inputs": [...]}`. Raises: BadRequestError."""
        value = said.get("reward") if isinstance(said, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise BadRequestError('expected {"reward": <number>}, and optionally "name", "id", "inputs"')
        inputs = Tensor.of_request(said) if said.get("inputs") else {}
        for counts in self.counter.of(headers, self.fields(inputs) if inputs else {}):
            counts.rewarded(str(said.get("name") or "reward"), float(value))
        self.reward(float(value), said)

    def answers_after(self, number: int) -> list[tuple[int, str, dict[str, Sequence[Any]]]]:
        """The kept answers with a higher number: (number, request id, output -> values)."""
        return [kept for kept in self._kept if kept[0] > number]

    def _remember(self, request_id: str, inputs: Mapping[str, Tensor], outputs: Sequence[Tensor]) -> None:
        if not self.extras.keep_answers and not self.log:
            return
        values = {o.name: o.data for o in outputs}
        if self.extras.keep_answers:
            self._number += 1
            self._kept.append((self._number, request_id, values))
        if self.log:
            self.log.add(time.time(), request_id, {n: t.data for n, t in inputs.items()}, values)

    def _payloads(self) -> tuple[int, int]:
        return (self.log.logged, self.log.dropped) if self.log else (0, 0)

    def _read_slices(self) -> None:
        """Where the file of slices has changed. One that cannot be read changes nothing."""
        if not self.extras.slices_file:
            return
        with contextlib.suppress(OSError, ValueError, TypeError):
            path = Path(self.extras.slices_file)
            changed = path.stat().st_mtime
            if changed != self._slices_read:
                more = json.loads(path.read_text(encoding="utf-8"))
                labels = dict.fromkeys((*self.extras.slices, *more))
                self.counter.count_slices([Slice.parse(label) for label in labels])
                self._slices_read = changed


def status_of(error: Exception) -> int:
    """The HTTP status that tells a client of it."""
    if isinstance(error, BadRequestError):
        return 400
    return 503 if isinstance(error, OverloadedError) else 500
