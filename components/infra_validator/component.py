"""The KFP component `infra_validator`; it runs in the serving image, which has no kfp: hence a container component."""

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import InfraBlessing


@dsl.container_component
def infra_validator(
    model: dsl.Input[dsl.Model],
    blessing: dsl.Output[InfraBlessing],
    tolerance: float = 1e-4,
    requests: int = 32,
):
    """Load the model in a real MLServer and compare its answers with the trainer's own.

    Args:
        model: a Model with Samples/ (requests, and what the trainer's process predicted for them).
        blessing: INFRA_BLESSED or INFRA_NOT_BLESSED, and infra.json.
        tolerance: the greatest difference allowed, absolute for values up to 1, else relative.
        requests: how many of the sample requests to send.
    """
    return dsl.ContainerSpec(
        image=images.SERVING,
        command=["python3", "-m", "tidegate.components.infra_validator.main"],
        args=["--executor_input", "{{$}}", "--tolerance", tolerance, "--requests", requests, model.path, blessing.path],
    )
