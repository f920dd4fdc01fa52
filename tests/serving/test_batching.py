"""Batches grow by themselves while the model is busy, and nobody waits when it is not."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from tidegate.serving.batching import Batcher, OverloadedError, Rows


class Model:
    """Doubles numbers; holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.go = threading.Semaphore(0)

    def __call__(self, rows: Rows) -> dict[str, Any]:
        self.batches.append(list(rows))
        assert self.go.acquire(timeout=5)
        if b"bad" in rows:
            raise ValueError("bad row")
        return {"y": np.array([2 * int(r) for r in rows])}


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.002)


def test_what_arrives_while_the_model_is_busy_makes_the_next_batch() -> None:
    async def scene() -> None:
        model = Model()
        batcher = Batcher(model, size=3)
        asked = [asyncio.create_task(batcher.answer([str(i).encode()])) for i in range(6)]
        await settle()
        for _ in range(3):
            model.go.release()
        answers = await asyncio.gather(*asked)
        assert model.batches == [[b"0"], [b"1", b"2", b"3"], [b"4", b"5"]]
        assert [list(a["y"]) for a in answers] == [[0], [2], [4], [6], [8], [10]]

    asyncio.run(scene())


def test_each_request_gets_its_own_rows() -> None:
    async def scene() -> None:
        model = Model()
        batcher = Batcher(model)
        asked = [
            asyncio.create_task(batcher.answer(rows)) for rows in ([b"9"], [b"1", b"2"], [b"3"], [b"4", b"5", b"6"])
        ]
        await settle()
        for _ in range(2):
            model.go.release()
        answers = await asyncio.gather(*asked)
        assert len(model.batches) == 2 and [list(a["y"]) for a in answers] == [[18], [2, 4], [6], [8, 10, 12]]

    asyncio.run(scene())


def test_only_the_culprit_gets_the_error() -> None:
    async def scene() -> None:
        model = Model()
        batcher = Batcher(model)
        asked = [asyncio.create_task(batcher.answer([row])) for row in (b"0", b"1", b"bad", b"3")]
        await settle()
        for _ in range(5):
            model.go.release()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(found[2], ValueError)
        assert [list(found[i]["y"]) for i in (0, 1, 3)] == [[0], [2], [6]]  # type: ignore[index,call-overload]

    asyncio.run(scene())


def test_a_queue_that_is_too_long_refuses_rather_than_to_answer_late() -> None:
    async def scene() -> None:
        model = Model()
        batcher = Batcher(model, size=2, longest_queue=2)
        asked = [asyncio.create_task(batcher.answer([b"1"])) for _ in range(3)]
        await settle()
        with pytest.raises(OverloadedError, match="2 rows are waiting"):
            await batcher.answer([b"2"])
        for _ in range(2):
            model.go.release()
        assert len(await asyncio.gather(*asked)) == 3

    asyncio.run(scene())


def test_who_went_away_is_not_computed_for() -> None:
    async def scene() -> None:
        model = Model()
        batcher = Batcher(model)
        first, gone = (asyncio.create_task(batcher.answer([row])) for row in (b"1", b"2"))
        await settle()
        gone.cancel()
        await settle()
        model.go.release()
        assert list((await first)["y"]) == [2]
        await settle()
        assert model.batches == [[b"1"]]

    asyncio.run(scene())
