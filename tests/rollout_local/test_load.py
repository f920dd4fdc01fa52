"""The load generator: by the clock, whatever the server does; every request is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tidegate.serving.load import Load, Sent, request

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def against(answer: Answer, rate: float, seconds: float) -> Sent:
    """Sent to a server that answers the nth request as it likes."""

    async def scene() -> Sent:
        count = 0

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    assert b"content-length: 2" in head.lower() and await reader.readexactly(2) == b"{}"
                    count += 1
                    await answer(count, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        load = Load("127.0.0.1", port, [request("127.0.0.1", port, "/infer", b"{}")])
        sent = await load.run(rate, seconds)
        load.close()
        server.close()
        await asyncio.sleep(0.05)
        return sent

    return asyncio.run(scene())


def said(status: str, body: bytes = b"ok", headers: str = "X-Served-By: v1\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def good(number: int, writer: asyncio.StreamWriter) -> None:
    writer.write(said("200 OK"))


def test_each_request_leaves_and_is_counted() -> None:
    sent = against(good, rate=200, seconds=0.5)

    assert sent.statuses == {200: 100} and sent.losses == 0 and len(sent.latencies) == 100
    assert sent.served_by == {"v1": 100} and 0 < sent.quantile(0.5) <= sent.quantile(0.99)


def test_what_is_not_answered_well_is_lost_and_told() -> None:
    async def some(number: int, writer: asyncio.StreamWriter) -> None:
        if number % 10 == 0:
            writer.write(said("503 Service Unavailable", b"no healthy upstream", headers=""))
        elif number % 10 == 5:
            writer.close()
        else:
            writer.write(said("200 OK"))

    sent = against(some, rate=200, seconds=0.5)

    assert sent.count == 100 and sent.losses == sent.statuses[503] + sent.statuses[0] == 20
    assert {(status, text) for _, status, text in sent.lost} == {(503, "no healthy upstream"), (0, "")}


def test_a_server_that_stalls_cannot_hide_whom_it_made_wait() -> None:
    async def stalls(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            import time

            time.sleep(0.3)  # the whole server, and with it everybody
        writer.write(said("200 OK"))

    sent = against(stalls, rate=100, seconds=0.5)

    late = [latency for latency in sent.latencies if latency > 0.05]
    assert sent.losses == 0 and len(late) >= 20, "those that should have left meanwhile waited as well"


def test_an_answer_in_pieces_is_put_together() -> None:
    async def pieces(number: int, writer: asyncio.StreamWriter) -> None:
        data = said("200 OK", b"x" * 50)
        for at in range(0, len(data), 20):
            writer.write(data[at : at + 20])
            await writer.drain()
            await asyncio.sleep(0.001)

    assert against(pieces, rate=50, seconds=0.4).statuses == {200: 20}
