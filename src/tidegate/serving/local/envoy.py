"""Envoy's configuration: a bootstrap that never changes, and clusters, endpoints and routes that it re-reads. Pure.

Each instance has three clusters: ID for requests over HTTP, ID-grpc, and ID-mirror for copies. In the first two the
stable model's processes stand by at the next priority: a retry goes there, so a canary that fails costs no answer.
Figures of the canary are those of its own endpoints only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tidegate.serving.local.desired import Desired, Instance, Replica

MILLISECONDS = tuple(
    sorted({float(v) for v in (*range(1, 21), *(round(10 ** (k / 20)) for k in range(26, 96)))})
)  # fmt: skip
"""Bounds of the latency histogram: whole milliseconds are what Envoy measures; to 56 s, 12 % apart."""

_TYPE = "type.googleapis.com/envoy"
_CLUSTER, _ENDPOINTS = f"{_TYPE}.config.cluster.v3.Cluster", f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment"
_ROUTES = f"{_TYPE}.config.route.v3.RouteConfiguration"
_HTTP = f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"
_MANAGER = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPE}.extensions.filters.http.router.v3.Router"
_PREVIOUS_HOSTS = f"{_TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_PREVIOUS_PRIORITIES = f"{_TYPE}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"

CLUSTERS_FILE, ROUTES_FILE = "clusters.json", "routes.json"
MIRROR, GRPC = "-mirror", "-grpc"
ROUTE = "models"
"""The name of the route that inference requests over HTTP take."""

_FEEDBACK = r"/v2/models/[^/]+(/versions/[^/]+)?/feedback"
_IDLE = "30s"  # less than MLServer keeps a connection: who closes first must not be the server


def bootstrap(xds: str, host: str, port: int, admin: int) -> dict[str, Any]:
    """xds: the folder of the files. port: for clients; admin: Envoy's own, on loopback."""
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "clients",
        "generate_request_id": True,
        "rds": {"route_config_name": "all", "config_source": _watched(xds, ROUTES_FILE)},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
        "server_name": "tidegate",
        "use_remote_address": True,
        "stream_idle_timeout": "60s",
    }
    listener = {
        "name": "clients",
        "address": _address(host, port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    buckets = [{"match": {"suffix": "upstream_rq_time"}, "buckets": list(MILLISECONDS)}]
    return {
        "node": {"id": "tidegate", "cluster": "tidegate"},
        "admin": {"address": _address("127.0.0.1", admin)},
        "dynamic_resources": {"cds_config": _watched(xds, CLUSTERS_FILE)},
        "static_resources": {"listeners": [listener]},
        "stats_config": {"histogram_bucket_settings": buckets},
        "stats_flush_interval": "0.500s",  # histograms are as old as that
    }


def clusters(desired: Desired, xds: str) -> dict[str, Any]:
    """CDS."""
    found = []
    for instance in desired.instances:
        for suffix, protocol in (("", "http"), (GRPC, "http2"), (MIRROR, "http")):
            found.append(_cluster(instance.id + suffix, protocol, xds))
    return {"resources": [{"@type": _CLUSTER, **one} for one in found]}


def endpoints(desired: Desired, replicas: Iterable[Replica]) -> dict[str, dict[str, Any]]:
    """EDS: file -> content, one for each cluster. replicas: those that are ready."""
    ready = list(replicas)
    found = {}
    for instance in desired.instances:
        own = [r for r in ready if r.instance == instance.id]
        standby = [r for other in _standby(desired, instance) for r in ready if r.instance == other.id]
        for one in (
            _assignment(instance.id, [r.http for r in own], [r.http for r in standby]),
            _assignment(instance.id + GRPC, [r.grpc for r in own], [r.grpc for r in standby]),
            _assignment(instance.id + MIRROR, [r.http for r in own], []),
        ):
            found[endpoints_file(one["cluster_name"])] = {"resources": [{"@type": _ENDPOINTS, **one}]}
    return found


def endpoints_file(cluster: str) -> str:
    return f"endpoints-{cluster}.json"


def routes(desired: Desired) -> dict[str, Any]:
    """RDS."""
    found: list[dict[str, Any]] = []
    for instance in desired.instances:
        served_by = {"name": "x-served-by", "string_match": {"exact": instance.id}}
        match = {"safe_regex": {"regex": _FEEDBACK}, "headers": [served_by]}
        found.append({"match": match, "route": {"cluster": instance.id, "timeout": "10s"}})
    found.append(_said({"safe_regex": {"regex": _FEEDBACK}}, 400, "send back the x-served-by of the answer"))
    found.append(_said({"prefix": "/v2/repository"}, 403, "models are changed by rollouts only"))
    if desired.stable is None:
        found.append(_said({"prefix": "/v2/"}, 503, "no model is served yet"))
    else:
        service = {"prefix": "/inference.GRPCInferenceService/"}
        found.append({"name": "grpc", "match": service, "route": _weighted(desired, desired.stable, GRPC)})
        found.append({"name": ROUTE, "match": {"prefix": "/v2/"}, "route": _weighted(desired, desired.stable, "")})
    found.append(_said({"prefix": "/"}, 404, f"try /v2/models/{desired.name}"))
    host = {"name": "all", "domains": ["*"], "routes": found}
    return {"resources": [{"@type": _ROUTES, "name": "all", "virtual_hosts": [host]}]}


def in_force(dump: dict[str, Any]) -> tuple[dict[str, int], int]:
    """From Envoy's dump of its routes (`/config_dump?resource=dynamic_route_configs`): per cent of requests by cluster,
    and per cent mirrored. Empty where it has no such route yet."""
    for config in dump.get("configs", []):
        for host in config.get("route_config", config).get("virtual_hosts", []):
            for route in host.get("routes", []):
                if route.get("name") == ROUTE:
                    return _read(route["route"])
    return {}, 0


def _read(route: dict[str, Any]) -> tuple[dict[str, int], int]:
    if "cluster" in route:
        return {route["cluster"]: 100}, 0
    found = {c["name"]: int(c.get("weight", 0)) for c in route["weighted_clusters"]["clusters"]}
    mirrors = route.get("request_mirror_policies", [])
    return found, int(mirrors[0]["runtime_fraction"]["default_value"]["numerator"]) if mirrors else 0


def _standby(desired: Desired, instance: Instance) -> Sequence[Instance]:
    """Also for what is going: a request may still be on its way there when its last process ends."""
    other = desired.retiring if instance == desired.stable else desired.stable
    return [other] if other else []


def _weighted(desired: Desired, stable: Instance, suffix: str) -> dict[str, Any]:
    shares = [(stable, 100 - desired.weight if desired.canary else 100)]
    if desired.canary:  # the canary first: as its share grows, requests that stick to it stay
        shares.insert(0, (desired.canary, desired.weight))
    weighted: dict[str, Any] = {"clusters": [{"name": i.id + suffix, "weight": w} for i, w in shares]}
    route: dict[str, Any] = {"weighted_clusters": weighted, "timeout": "30s", "retry_policy": _retries()}
    if desired.sticky:
        route["hash_policy"] = [{"header": {"header_name": desired.sticky}}]
        weighted["use_hash_policy"] = True
    if desired.canary and desired.mirror and not suffix:
        fraction = {"default_value": {"numerator": desired.mirror, "denominator": "HUNDRED"}}
        route["request_mirror_policies"] = [{"cluster": desired.canary.id + MIRROR, "runtime_fraction": fraction}]
    return route


def _retries() -> dict[str, Any]:
    """Inference has no effects, so each failure may be tried elsewhere: another process, then another model."""
    return {
        "retry_on": "5xx,reset,connect-failure,refused-stream,unavailable",
        "num_retries": 3,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": _PREVIOUS_HOSTS}}
        ],
        "host_selection_retry_max_attempts": 5,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {"@type": _PREVIOUS_PRIORITIES, "update_frequency": 1},
        },
        "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.100s"},
    }


def _cluster(name: str, protocol: str, xds: str) -> dict[str, Any]:
    options = {
        "@type": _HTTP,
        "explicit_http_config": {f"{protocol}_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": _IDLE},
    }
    most = {"max_connections": 8192, "max_pending_requests": 8192, "max_requests": 8192, "max_retries": 1024}
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _watched(xds, endpoints_file(name))},
        "connect_timeout": "5s",  # on one machine who is dead refuses at once; who is busy may take a while
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [most]},
        "track_cluster_stats": {"per_endpoint_stats": True},
        "outlier_detection": _outliers(),
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }


def _outliers() -> dict[str, Any]:
    """Who cannot be reached is left alone for a while, unless nobody else is there (Envoy's panic threshold). Not for
    5xx: those are the evidence that a rollout decides on, and a retry has answered them already."""
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "0.5s",
        "base_ejection_time": "1s",
        "max_ejection_time": "5s",
        "max_ejection_percent": 100,
    }


def _assignment(name: str, own: Sequence[int], standby: Sequence[int]) -> dict[str, Any]:
    groups = [{"priority": 0, "lb_endpoints": [_endpoint(p) for p in own]}]
    if standby:
        groups.append({"priority": 1, "lb_endpoints": [_endpoint(p) for p in standby]})
    return {"cluster_name": name, "endpoints": groups}


def _endpoint(port: int) -> dict[str, Any]:
    return {"endpoint": {"address": _address("127.0.0.1", port)}}


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _said(match: dict[str, Any], status: int, text: str) -> dict[str, Any]:
    body = {"inline_string": json.dumps({"error": text}) + "\n"}
    return {"match": match, "direct_response": {"status": status, "body": body}}


def _watched(xds: str, name: str) -> dict[str, Any]:
    source = {"path": f"{xds}/{name}", "watched_directory": {"path": xds}}
    return {"resource_api_version": "V3", "path_config_source": source}
