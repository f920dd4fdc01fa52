"""A Kubernetes API server in memory: objects, versions, patches, label selectors, admission; no validation."""

from __future__ import annotations

import itertools
import marshal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

import jsonpatch

from tidegate.kube.client import ApiError, Json

T = TypeVar("T")
Admission = Callable[[Json], str]
"""Why an object is refused; empty: it is not."""


class MemoryApi:
    """`admission` by plural; `fail_next` makes the next requests fail; `log` tells the writes."""

    def __init__(self, admission: Mapping[str, Admission] | None = None) -> None:
        self.objects: dict[str, Json] = {}
        self.admission = dict(admission or {})
        self.asked: Counter[str] = Counter()
        self.log: list[tuple[str, str, Any]] = []
        self.fail_next: list[int] = []
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)

    # ------------------------------------------------------------ the Api protocol
    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        self._count("GET")
        if path in self.objects:
            return deepcopy(self.objects[path])
        collection = _collection(path)
        if not collection:
            raise ApiError(f"GET {path}: 404 not found", 404)
        items = [deepcopy(o) for o in self._under(path) if _selected(o, (query or {}).get("labelSelector", ""))]
        return {"items": items, "metadata": {"resourceVersion": "0"}}

    async def post(self, path: str, body: Json) -> Json:
        self._count("POST")
        return self.put_in(path, body)

    async def put(self, path: str, body: Json) -> Json:
        self._count("PUT")
        old = self._there(path)
        said = body.get("metadata", {}).get("resourceVersion")
        if said and said != old["metadata"]["resourceVersion"]:
            raise ApiError(f"PUT {path}: 409 conflict", 409)
        return self._store(path, old, deepcopy(body))

    async def patch(self, path: str, kind: str, body: Json | Sequence[Json]) -> Json:
        self._count("PATCH")
        whole = path.removesuffix("/status")
        old = self._there(whole)
        self.log.append(("PATCH", path, deepcopy(body)))
        if kind == "json":
            try:
                new = jsonpatch.apply_patch(old, list(body))
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
                raise ApiError(f"PATCH {path}: 422 {error}", 422) from None
        else:
            assert isinstance(body, dict)
            said = body.get("metadata", {}).get("resourceVersion")
            if said and said != old["metadata"]["resourceVersion"]:
                raise ApiError(f"PATCH {path}: 409 conflict", 409)
            new = _merged(old, body)
        if path != whole:  # a status subresource changes nothing but the status
            new = {**old, "status": new.get("status", {})}
        elif old["kind"] == "ModelRollout":
            new["status"] = old.get("status", {})
        return self._store(whole, old, new)

    async def delete(self, path: str) -> None:
        self._count("DELETE")
        old = self._there(path)
        if old["metadata"].get("finalizers"):
            old["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:00:00Z")
            return
        del self.objects[path]

    # ------------------------------------------------------------ for tests
    def put_in(self, path: str, body: Json) -> Json:
        """Create an object; `path` is the collection's."""
        made = deepcopy(body)
        meta = made.setdefault("metadata", {})
        name = meta["name"]
        target = f"{path}/{name}"
        if target in self.objects:
            raise ApiError(f"POST {target}: 409 already exists", 409)
        meta.setdefault("uid", f"uid-{next(self._uids)}")
        meta.setdefault("namespace", path.split("/namespaces/")[1].split("/")[0])
        meta["generation"] = 1
        return self._store(target, None, made)

    def of_kind(self, kind: str) -> list[Json]:
        return [o for o in self.objects.values() if o.get("kind") == kind]

    def _store(self, path: str, old: Json | None, new: Json) -> Json:
        plural = path.split("/")[-2]
        if plural in self.admission and (why := self.admission[plural](new)):
            raise ApiError(f"{path}: 403 admission webhook denied the request: {why}", 403)
        new["metadata"]["resourceVersion"] = str(next(self._versions))
        if old is not None and old.get("spec") != new.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
        self.objects[path] = new
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            del self.objects[path]
        return deepcopy(new)

    def _there(self, path: str) -> Json:
        if path not in self.objects:
            raise ApiError(f"{path}: 404 not found", 404)
        return self.objects[path]

    def _under(self, path: str) -> Iterator[Json]:
        plural = path.rsplit("/", 1)[1]
        namespaced = "/namespaces/" in path
        for where, thing in list(self.objects.items()):
            same = where.rsplit("/", 1)[0] == path if namespaced else where.split("/")[-2] == plural
            if same:
                yield thing

    def _count(self, verb: str) -> None:
        self.asked[verb] += 1
        if self.fail_next:
            raise ApiError(f"{verb}: made to fail", self.fail_next.pop(0))


def deepcopy(thing: T) -> T:
    """Of JSON only, and fast."""
    copied: T = marshal.loads(marshal.dumps(thing))
    return copied


def _collection(path: str) -> bool:
    pieces = unquote(path).strip("/").split("/")
    rest = pieces[3:] if pieces[0] == "apis" else pieces[2:]
    return len(rest) in (1, 3)


def _selected(thing: Json, selector: str) -> bool:
    labels = thing["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, _, value in (s.partition("=") for s in selector.split(",") if s))


def _merged(old: Any, new: Any) -> Any:
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(new, dict):
        return deepcopy(new)
    result = deepcopy(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
