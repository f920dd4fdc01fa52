"""A pipeline whose pods name what must be on the cluster before."""

from kfp import dsl, kubernetes

HOST = "python:3.11"


@dsl.component(base_image=HOST, install_kfp_package=False)
def use() -> None: ...


@dsl.pipeline(name="needy")
def needy() -> None:
    task = use()
    kubernetes.use_secret_as_env(task, "database", {"password": "PASSWORD"})
    kubernetes.use_config_map_as_volume(task, "limits", "/limits")
    kubernetes.mount_pvc(task, "data", "/data")
