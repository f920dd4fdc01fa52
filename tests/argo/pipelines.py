"""Pipelines whose manifests are kept as goldens: what reviewers of the compiler look at."""

# ruff: noqa: UP006, UP035 - what kfp reads

from typing import List

from kfp import dsl, kubernetes

from tests.conformance.components import add, fail, numbers, say, status_of, total, write


@dsl.component(base_image="tidegate/components:0.1.0", install_kfp_package=False)
def train(data: dsl.Input[dsl.Dataset], rate: float, model: dsl.Output[dsl.Model]):
    with open(model.path, "w") as file:  # noqa: PTH123
        file.write(f"{data.path} {rate}")


@dsl.container_component
def shout(text: str, loud: dsl.OutputPath(str)):  # type: ignore[valid-type]
    return dsl.ContainerSpec("alpine:3.20", ["sh", "-c", 'echo "$0" | tr a-z A-Z > "$1"'], [text, loud])


@dsl.pipeline(name="chain")
def chain(a: int = 1, name: str = "it's") -> int:
    first = add(a=a, b=2)
    say(text=f"{name} {first.output}")
    return add(a=first.output, b=a).output


@dsl.pipeline(name="loops")
def loops(n: int) -> List[int]:
    with dsl.ParallelFor(numbers(n=n).output, parallelism=2) as item:
        sums = add(a=item, b=1)
        with dsl.If(sums.output > 1):
            say(text="big").set_retry(num_retries=2, backoff_duration="10s", backoff_max_duration="60s")
    total(values=dsl.Collected(sums.output))
    return dsl.Collected(sums.output)


@dsl.pipeline(name="endings")
def endings():
    with dsl.ExitHandler(status_of()):
        broken = fail()
        say(text="in any case").after(broken).ignore_upstream_failure()


@dsl.pipeline(name="pods")
def pods():
    trained = train(data=write(text="rows").outputs["data"], rate=0.5)
    trained.set_cpu_limit("2").set_memory_limit("4G").set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    trained.set_env_variable("PRICE", "5$")
    kubernetes.add_node_selector(trained, "pool", "gpu")
    kubernetes.add_toleration(trained, key="gpu", operator="Exists", effect="NoSchedule")
    kubernetes.use_secret_as_env(trained, "store", {"key": "STORE_KEY"})
    kubernetes.use_config_map_as_volume(trained, "settings", "/etc/settings")
    kubernetes.mount_pvc(trained, "scratch", "/scratch")
    kubernetes.set_image_pull_secrets(trained, ["registry"])
    shout(text="hello")


PIPELINES = (chain, loops, endings, pods)
