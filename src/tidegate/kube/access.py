"""How to reach and convince an API server: from a pod's ServiceAccount, or from a kubeconfig."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_EXEC_SECONDS = 60.0


class AccessError(Exception):
    """No API server is named, or its credentials cannot be read."""


@dataclass(frozen=True, slots=True)
class Access:
    """`token` is called for each request, since tokens of pods are replaced while they run."""

    server: str
    namespace: str = "default"
    ca: bytes | None = None
    """PEM; None: the system's authorities."""
    verify: bool = True
    token: Callable[[], str] | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """TLS as the access says. Raises: AccessError for a certificate or key that cannot be read."""
        context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            with tempfile.TemporaryDirectory() as folder:  # ssl reads certificates of clients from files only
                certificate, key = Path(folder) / "certificate", Path(folder) / "key"
                for file, content in ((certificate, self.certificate), (key, self.key)):
                    file.touch(mode=0o600)
                    file.write_bytes(content)
                try:
                    context.load_cert_chain(certificate, key)
                except ssl.SSLError as error:
                    raise AccessError(f"the client certificate or its key cannot be read: {error.reason}") from None
        return context


def find(kubeconfig: Path | None = None, context: str = "", environ: Mapping[str, str] | None = None) -> Access:
    """By the kubeconfig given or named by KUBECONFIG, else by the pod's ServiceAccount, else by ~/.kube/config.

    Raises: AccessError.
    """
    environ = os.environ if environ is None else environ
    if kubeconfig is not None:
        return from_kubeconfig(kubeconfig, context)
    if named := environ.get("KUBECONFIG", ""):
        return from_kubeconfig(Path(named.split(os.pathsep)[0]).expanduser(), context)
    if environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").is_file():
        return in_cluster(environ)
    home = Path("~/.kube/config").expanduser()
    if home.is_file():
        return from_kubeconfig(home, context)
    raise AccessError("no cluster is named: set KUBECONFIG, or run in a pod with a ServiceAccount")


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """By the ServiceAccount that the kubelet mounts into `folder`."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{host}:{port}",
        namespace=(folder / "namespace").read_text().strip(),
        ca=(folder / "ca.crt").read_bytes(),
        token=lambda: (folder / "token").read_text().strip(),
    )


def from_kubeconfig(path: Path, context: str = "") -> Access:
    """By one context of a kubeconfig, by default its current one. Raises: AccessError."""
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise AccessError(f"kubeconfig {path}: {error}") from None
    chosen = _named(path, config, "contexts", context or config.get("current-context") or "")["context"]
    cluster = _named(path, config, "clusters", chosen["cluster"])["cluster"]
    user = _named(path, config, "users", chosen["user"])["user"] if chosen.get("user") else {}
    return Access(
        server=cluster["server"].rstrip("/"),
        namespace=chosen.get("namespace") or "default",
        ca=_content(path, cluster, "certificate-authority"),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        token=_token(path, user),
        certificate=_content(path, user, "client-certificate"),
        key=_content(path, user, "client-key"),
    )


def _named(path: Path, config: Any, kind: str, name: str) -> dict[str, Any]:
    entries = config.get(kind) or [] if isinstance(config, dict) else []
    for entry in entries:
        if entry.get("name") == name:
            return dict(entry)
    there = ", ".join(sorted(entry.get("name", "") for entry in entries)) or "none"
    raise AccessError(f"kubeconfig {path}: expected {kind[:-1]} {name!r}, found {there}")


def _content(path: Path, entry: dict[str, Any], key: str) -> bytes | None:
    if data := entry.get(f"{key}-data"):
        return base64.b64decode(data)
    if file := entry.get(key):
        try:
            return (path.parent / str(file)).read_bytes()
        except OSError as error:
            raise AccessError(f"kubeconfig {path}: {key}: {error}") from None
    return None


def _token(path: Path, user: dict[str, Any]) -> Callable[[], str] | None:
    if token := user.get("token"):
        return lambda: str(token)
    if file := user.get("tokenFile"):
        return lambda: (path.parent / file).read_text().strip()
    if plugin := user.get("exec"):
        return _plugin(path, plugin)
    return None


def _plugin(path: Path, plugin: dict[str, Any]) -> Callable[[], str]:
    """A credential plugin, as client-go runs it; asked once, since operators run in clusters, by their own account."""
    command = [plugin["command"], *(plugin.get("args") or [])]
    extra = {variable["name"]: variable["value"] for variable in plugin.get("env") or []}
    known: list[str] = []

    def token() -> str:
        if not known:
            try:
                done = subprocess.run(
                    command, env={**os.environ, **extra}, capture_output=True, timeout=_EXEC_SECONDS, check=True
                )
                known.append(json.loads(done.stdout)["status"]["token"])
            except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
                kind = type(error).__name__
                raise AccessError(f"kubeconfig {path}: {command[0]} gave no token ({kind})") from None
        return known[0]

    return token
