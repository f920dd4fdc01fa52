"""A model in a pod: answers on :9000 as the Open Inference Protocol has it, counts on :8000 as Seldon's executor does.

What it is like is in its MODEL_URI: `test://good/2`, `test://bad/2` (a third of its answers are errors),
`test://crash/2` (it ends after some requests), `test://late/2` (it is slow to begin). Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KIND = os.environ.get("MODEL_URI", "test://good/1").split("//")[1].split("/")[0]
LABELS = (
    f'deployment_name="{os.environ["SELDON_DEPLOYMENT_ID"]}",predictor_name="{os.environ["PREDICTOR_ID"]}",'
    'predictor_version="",service="predictions",method="post"'
)
BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
NAME = "seldon_api_executor_server_requests_seconds"
lock = threading.Lock()
counts: dict[str, list[int]] = {}


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def say(self, code: int, text: str, kind: str = "application/json") -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Model(Quiet):
    def do_GET(self) -> None:
        self.say(200, "{}")

    def do_POST(self) -> None:
        began = time.monotonic()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with lock:
            number = sum(sum(c) for c in counts.values())
        if KIND == "crash" and number >= 10:  # before its good answers are evidence enough
            os._exit(1)
        code = 500 if KIND == "bad" and number % 3 == 0 else 200
        self.say(code, json.dumps({"model_name": "m", "outputs": [], "id": os.environ.get("MODEL_URI", "")}))
        took = time.monotonic() - began
        with lock:
            found = counts.setdefault(str(code), [0] * (len(BOUNDS) + 1))
            found[sum(took > bound for bound in BOUNDS)] += 1


class Metrics(Quiet):
    def do_GET(self) -> None:
        lines = [f"# TYPE {NAME} histogram"]
        with lock:
            for code, found in counts.items():
                total = 0
                for bound, count in zip((*map(str, BOUNDS), "+Inf"), found, strict=True):
                    total += count
                    lines.append(f'{NAME}_bucket{{{LABELS},code="{code}",le="{bound}"}} {total}')
                lines.append(f'{NAME}_sum{{{LABELS},code="{code}"}} 0')
                lines.append(f'{NAME}_count{{{LABELS},code="{code}"}} {total}')
        self.say(200, "\n".join(lines) + "\n", "text/plain; version=0.0.4")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: threading.Timer(4, lambda: os._exit(0)).start())
    if KIND == "late":
        time.sleep(15)
    for port, handler in ((8000, Metrics), (9000, Model)):
        threading.Thread(target=ThreadingHTTPServer(("", port), handler).serve_forever, daemon=False).start()


if __name__ == "__main__":
    main()
