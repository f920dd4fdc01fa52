"""A Git server over HTTP, as a test's own: Git's, with a token at the door and ways to be in a writer's way."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo

TOKEN = "ghp_secretsecretsecret"


@dataclass
class Server:
    """One bare repository, `/gitops.git`."""

    repo: Repo
    url: str = ""
    token: str = ""
    before_push: list[Callable[[], None]] = field(default_factory=list)
    """Each is called once, before the server takes a push."""

    def commit(self, files: dict[str, bytes | tuple[int, bytes]], text: str = "by hand") -> bytes:
        """A commit as another person makes it: these files added or changed."""
        ref = b"refs/heads/main"
        store = self.repo.object_store
        parents = [self.repo.refs[ref]] if ref in self.repo.refs else []
        head = store[parents[0]] if parents else None
        tree = store[head.tree] if isinstance(head, Commit) else Tree()
        for path, content in files.items():
            mode, data = content if isinstance(content, tuple) else (0o100644, content)
            tree = self._with(tree, path.split("/"), mode, Blob.from_string(data))
        commit = Commit()
        commit.tree, commit.parents, commit.message = tree.id, parents, text.encode()
        commit.author = commit.committer = b"A Person <person@example.org>"
        commit.author_time = commit.commit_time = 1_700_000_000
        commit.author_timezone = commit.commit_timezone = 0
        store.add_object(commit)
        self.repo.refs[ref] = commit.id
        return commit.id

    def _with(self, tree: Any, parts: list[str], mode: int, blob: Blob) -> Tree:
        store, made, name = self.repo.object_store, tree.copy(), parts[0].encode()
        if len(parts) == 1:
            store.add_object(blob)
            made[name] = (mode, blob.id)
        else:
            below = self._with(store[made[name][1]] if name in made else Tree(), parts[1:], mode, blob)
            made[name] = (0o040000, below.id)
        store.add_object(made)
        return made

    def text(self, path: str, branch: str = "main") -> str:
        node: Any = self.repo[self.repo.refs[b"refs/heads/" + branch.encode()]]
        node = self.repo[node.tree]
        for part in path.split("/"):
            node = self.repo[node[part.encode()][1]]
        return node.data.decode()

    def log(self, branch: str = "main") -> list[Any]:
        """Commits, newest first."""
        walker = self.repo.get_walker(include=[self.repo.refs[b"refs/heads/" + branch.encode()]])
        return [entry.commit for entry in walker]


def handler(served: Server, folder: Path) -> type[BaseHTTPRequestHandler]:
    """Git's own `http-backend`, as a web server calls it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.body())

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            read = b""
            while length := int(self.rfile.readline(), 16):
                read += self.rfile.read(length)
                self.rfile.readline()
            return read

        def answer(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            if served.token and given.partition(":")[2] != served.token:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
                return
            if self.command == "POST" and path.endswith("git-receive-pack") and served.before_push:
                served.before_push.pop(0)()
            env = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_LENGTH": str(len(body)),
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_USER": "somebody",
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder),
            }  # fmt: skip
            done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=env, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = [tuple(line.split(": ", 1)) for line in head.decode().splitlines()]
            self.send_response(next((int(value.split()[0]) for key, value in fields if key == "Status"), 200))
            for key, value in fields:
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if not shutil.which("git"):
        pytest.skip("git, whose http-backend is the server here, is not installed")
    repo = Repo.init_bare(str(tmp_path / "gitops.git"), mkdir=True)
    config = repo.get_config()
    config.set((b"http",), b"receivepack", b"true")
    config.write_to_path()
    made = Server(repo)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler(made, tmp_path))
    made.url = f"http://127.0.0.1:{httpd.server_port}/gitops.git"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    httpd.shutdown()
    httpd.server_close()
    thread.join()
    repo.close()
