"""The KFP components that look up what is newest; switch caching off for them, so that they look each time."""

from typing import NamedTuple

from kfp import dsl

from tidegate.components import images


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def latest_span(input_base: str, pattern: str, window: int = 0) -> NamedTuple(
    "Outputs", span=int, version=int, fingerprint=str
):
    """Find the newest span, so that example_gen's cache key follows the data.

    Args:
        input_base: the folder that holds the data.
        pattern: as example_gen's, with {SPAN}, {VERSION} or {YYYY}, {MM}, {DD}.
        window: how many spans the fingerprint covers, the newest last; 0: all of them.

    Returns: span, version (-1 where the pattern has none), and a fingerprint of the files' content.
    """
    import collections

    from tidegate.components.resolver.span import latest

    found = latest(input_base, pattern, window)
    return collections.namedtuple("Outputs", ["span", "version", "fingerprint"])(**found)


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def latest_blessed_model(destination: str, name: str, model: dsl.Output[dsl.Model], before_span: int = -1):
    """Find the last pushed, hence blessed, version of a model; the artifact is empty where there is none yet.

    Args:
        destination: the pusher's.
        name: the model's.
        model: the model as its trainer made it; metadata `found`, `version`, `digest`.
        before_span: only versions trained on spans before this one; -1: any.
    """
    from tidegate.components.resolver.blessed import latest_blessed

    found = latest_blessed(destination, name, model.path, before_span)
    model.metadata["found"] = found is not None
    if found is not None:
        model.metadata.update(version=found.version, digest=found.digest, span=found.last_span)
