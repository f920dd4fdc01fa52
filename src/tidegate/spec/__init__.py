"""The IR as read: KFP v2's PipelineSpec, found well-formed or refused with reasons."""

from tidegate.spec.errors import Problem, SpecError
from tidegate.spec.parameters import check_parameters
from tidegate.spec.pipeline import Pipeline
from tidegate.spec.reading import load

__all__ = ["Pipeline", "Problem", "SpecError", "check_parameters", "load"]
