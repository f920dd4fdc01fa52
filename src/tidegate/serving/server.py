"""MLServer with our short way in: `python -m tidegate.serving.server [FOLDER]`.

FOLDER has settings.json and model-settings.json. Without it the server is a container's: everything comes from the
environment, as Seldon Core v1 sets it (`settings.container`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

import uvicorn  # type: ignore[import-not-found,unused-ignore]
from mlserver.cli.serve import load_settings  # type: ignore[import-not-found,unused-ignore]
from mlserver.grpc import GRPCServer  # type: ignore[import-not-found,unused-ignore]
from mlserver.rest import RESTServer  # type: ignore[import-not-found,unused-ignore]
from mlserver.server import MLServer  # type: ignore[import-not-found,unused-ignore]
from mlserver.utils import install_uvloop_event_loop  # type: ignore[import-not-found,unused-ignore]

from tidegate.serving.fast import FastApplication
from tidegate.serving.settings import MODEL_SETTINGS, SERVER_SETTINGS, container


class _Rest(RESTServer):  # type: ignore[misc,unused-ignore]
    def _get_config(self) -> uvicorn.Config:
        config = super()._get_config()
        config.app = FastApplication(self._app, self._data_plane._model_registry.get_model)
        config.timeout_graceful_shutdown = 10
        config.timeout_keep_alive = 120  # longer than a proxy keeps them: who closes first must not be the server
        return config


class Server(MLServer):  # type: ignore[misc,unused-ignore]
    """MLServer whose HTTP side begins with `FastApplication`."""

    def _create_servers(self) -> None:
        parts = (self._settings, self._data_plane, self._model_repository_handlers)
        self._rest_server = _Rest(*parts)
        self._grpc_server = GRPCServer(*parts)
        self._kafka_server = None


async def serve(folder: str) -> int:
    """Until SIGTERM; gives the exit code: 1 where the model could not be loaded."""
    settings, models = await load_settings(folder)
    server = Server(settings)
    _quiet()
    await server.start(models)
    ready = [m.ready for m in await server._model_registry.get_models()]
    return 0 if ready else 1


def _quiet() -> None:
    for name in ("uvicorn.access", "mlserver.grpc"):
        logging.getLogger(name).setLevel(logging.WARNING)


def main(arguments: list[str]) -> int:
    install_uvloop_event_loop()
    if arguments:
        return asyncio.run(serve(arguments[0]))
    said = container(os.environ)
    with tempfile.TemporaryDirectory(prefix="tidegate-serving-") as folder:
        Path(folder, SERVER_SETTINGS).write_text(said.server, encoding="utf-8")
        Path(folder, MODEL_SETTINGS).write_text(said.model, encoding="utf-8")
        return asyncio.run(serve(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
