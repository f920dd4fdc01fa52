"""Pages as Seldon's executor 1.17.1, Istio's gateway and tidegate's model server print them."""

from __future__ import annotations


def executor(
    predictor: str, answered: dict[str, int], version: str = "", slow: int = 0, service: str = "predictions"
) -> str:
    """`answered`: code -> requests, of which `slow` took more than 0.1 s."""
    name = "seldon_api_executor_server_requests_seconds"
    lines = [f"# TYPE {name} histogram", "go_goroutines 7"]
    for code, count in answered.items():
        said = (
            f'code="{code}",deployment_name="flights",method="post",predictor_name="{predictor}",'
            f'predictor_version="{version}",service="{service}"'
        )
        lines += [
            f'{name}_bucket{{{said},le="0.1"}} {count - slow}',
            f'{name}_bucket{{{said},le="1"}} {count}',
            f'{name}_bucket{{{said},le="+Inf"}} {count}',
            f"{name}_sum{{{said}}} {count * 0.05}",
            f"{name}_count{{{said}}} {count}",
        ]
    return "\n".join(lines) + "\n"


def gateway(service: str, counts: dict[tuple[str, str], int], namespace: str = "models") -> str:
    """`counts`: (response code, response flags) -> requests."""
    return "# TYPE istio_requests_total counter\n" + "".join(
        f'istio_requests_total{{reporter="source",destination_service="{service}.{namespace}.svc.cluster.local",'
        f'destination_service_name="{service}",destination_service_namespace="{namespace}",'
        f'response_code="{code}",response_flags="{flags}"}} {count}\n'
        for (code, flags), count in counts.items()
    )


RUNTIME = """\
# TYPE tidegate_requests_total counter
tidegate_requests_total{model_name="flights",model_version="2",slice="",code="ok"} 90
tidegate_requests_total{model_name="flights",model_version="2",slice="",code="error"} 10
tidegate_requests_total{model_name="flights",model_version="2",slice="header:tier=gold",code="ok"} 9
tidegate_requests_total{model_name="flights",model_version="2",slice="header:tier=gold",code="error"} 1
# TYPE tidegate_request_seconds histogram
tidegate_request_seconds_bucket{model_name="flights",model_version="2",slice="",le="0.01"} 80
tidegate_request_seconds_bucket{model_name="flights",model_version="2",slice="",le="+Inf"} 100
tidegate_request_seconds_count{model_name="flights",model_version="2",slice=""} 100
tidegate_request_seconds_sum{model_name="flights",model_version="2",slice=""} 1.0
# TYPE tidegate_prediction_value histogram
tidegate_prediction_value_bucket{model_name="flights",model_version="2",slice="",output="p",le="0.5"} 30
tidegate_prediction_value_bucket{model_name="flights",model_version="2",slice="",output="p",le="+Inf"} 100
# TYPE tidegate_prediction_category_total counter
tidegate_prediction_category_total{model_name="flights",model_version="2",slice="",output="c",category="late"} 40
tidegate_prediction_category_total{model_name="flights",model_version="2",slice="",output="c",category="on time"} 60
# TYPE tidegate_reward_values_total counter
tidegate_reward_values_total{model_name="flights",model_version="2",slice="",reward="click"} 50
# TYPE tidegate_reward_sum gauge
tidegate_reward_sum{model_name="flights",model_version="2",slice="",reward="click"} 20
# TYPE tidegate_reward_squares_total counter
tidegate_reward_squares_total{model_name="flights",model_version="2",slice="",reward="click"} 20
"""
