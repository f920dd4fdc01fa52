"""Components that bring files along: notebooks, and artifacts embedded in the pipeline."""

# ruff: noqa: PTH109, PTH123 - components import what they need

from pathlib import Path

from kfp import dsl

from tests.conformance.case import Case
from tests.conformance.components import component

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")


@dsl.notebook_component(
    notebook_path=str(NOTEBOOK),
    base_image="python:3.11-with-packages",
    packages_to_install=[],
    install_kfp_package=False,
)
def run_note(text: str) -> str:
    import os

    os.environ["CONFORMANCE_NOTE"] = f"{os.getcwd()}/note"
    dsl.run_notebook(text=text, times=2)
    with open("note") as file:
        return file.read()


@dsl.pipeline
def notebook(text: str = "ab") -> str:
    return run_note(text=text).output


@component(embedded_artifact_path=str(NOTEBOOK))
def embedded(data: dsl.EmbeddedInput[dsl.Dataset]) -> str:
    import json

    with open(data.path) as file:
        return str(len(json.load(file)["cells"]))


@dsl.pipeline
def embedding() -> str:
    return embedded().output


CASES = (
    Case(
        "notebooks: run with parameters",
        notebook,
        {"Output": "abab"},
        ran=1,
        needs=frozenset({"nbclient", "ipykernel", "nbformat"}),
    ),
    Case("embedded artifacts: a file", embedding, {"Output": "2"}, ran=1),
)
