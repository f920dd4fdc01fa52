"""`tidegate graph`, `tidegate lint`, `tidegate compile`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli import options
from tidegate.cli.failures import CommandError, Exit
from tidegate.cli.output import Format, emit
from tidegate.cli.terminal import Terminal, stderr, stdout

if TYPE_CHECKING:
    from tidegate.cli.lint import Finding
    from tidegate.graph.model import Graph
    from tidegate.local.load import Pipeline

EXAMPLES = {
    "graph": """
tidegate graph pipeline.py
tidegate graph pipeline.py --format svg -o pipeline.svg
tidegate graph pipeline.py --format mermaid        for a README on GitHub
""",
    "lint": """
tidegate lint pipeline.py
tidegate lint pipeline.yaml --strict     warnings fail as well, for CI
""",
    "compile": """
tidegate compile pipeline.py -o pipeline.yaml
tidegate compile pipelines/flights/pipeline.py:flights > flights.yaml
tidegate compile pipeline.py -o pipeline.json
tidegate compile pipeline.py --to argo | kubectl apply --server-side -f -
""",
}


class Drawing(StrEnum):
    TREE = "tree"
    MERMAID = "mermaid"
    SVG = "svg"
    DOT = "dot"


class Target(StrEnum):
    KFP = "kfp"
    ARGO = "argo"


_TO = "kfp: KFP v2's PipelineSpec. argo: objects for `kubectl apply`, a WorkflowTemplate and what its pods read."

File = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not to stdout.")]


def graph(
    pipeline: options.Pipeline,
    format: Annotated[
        Drawing, typer.Option("--format", metavar="FORMAT", help="tree, mermaid, svg or dot.")
    ] = Drawing.TREE,
    output: File = None,
    store: options.Store = None,
) -> None:
    """Its tasks with what each needs (`←`); loops (`↻`), conditions (`?`) and inner pipelines (`▣`) with what is in
    them.
    """
    from tidegate.cli.picture import picture
    from tidegate.cli.views import graph as view
    from tidegate.cli.views.svg import svg

    drawn = picture(graph_of(load(pipeline, store)))
    to = stdout() if output is None else Terminal(stdout().file, False, False, 0)
    draw = {
        Drawing.TREE: lambda: view.tree(drawn, to),
        Drawing.MERMAID: lambda: view.mermaid(drawn),
        Drawing.DOT: lambda: view.dot(drawn),
        Drawing.SVG: lambda: svg(drawn),
    }
    _write("\n".join(draw[format]()) + "\n", output)


def lint(
    pipeline: options.Pipeline,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Errors (it cannot run here: types that cannot meet, images without an environment), warnings (probably not what
    is meant: shadowed names, unused parameters, moving tags) and notes (unused outputs, missing memory limits,
    settings that local runs ignore). Exit code 1 where there are errors.
    """
    from tidegate.cli.lint import Level
    from tidegate.cli.lint import lint as findings
    from tidegate.local.environments import NoEnvironment, settings_of
    from tidegate.local.settings import load as load_settings

    settings = load_settings()

    def mapped(image: str) -> str:
        try:
            settings_of(settings, image)
        except NoEnvironment as error:
            return str(error)
        return ""

    found = findings(graph_of(load(pipeline, store)), mapped)
    data = [{"level": f.level.value, "rule": f.rule, "where": f.where, "message": f.message} for f in found]
    emit(output, lambda: data, lambda to, _wide: _report(found, to))
    bad = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    if any(finding.level in bad for finding in found):
        raise typer.Exit(Exit.FAILED)


def compile(
    pipeline: options.Pipeline,
    output: File = None,
    to: Annotated[Target, typer.Option("--to", metavar="ENGINE", help=_TO)] = Target.KFP,
    store: options.Store = None,
) -> None:
    """For kfp, a file that runs on every engine that takes it, and here: `tidegate run pipeline.yaml`."""
    if output is not None and output.suffix not in (".yaml", ".yml", ".json"):
        raise CommandError(f"cannot compile to {output}", expected="a file that ends in .yaml, .yml or .json")
    compilers = {Target.KFP: _kfp, Target.ARGO: _argo}
    _write(compilers[to](load(pipeline, store), as_json=output is not None and output.suffix == ".json"), output)


def _kfp(pipeline: Pipeline, as_json: bool) -> str:
    """The IR as it is, checked. JSON holds one document: what kfp-kubernetes adds stays behind."""
    from tidegate.spec import load as check

    check(pipeline.spec, pipeline.where)
    if not as_json:
        return pipeline.spec
    import json

    import yaml

    first, *rest = yaml.safe_load_all(pipeline.spec)
    if rest:
        raise CommandError("the pipeline has settings for Kubernetes, which JSON cannot hold", fix="compile to .yaml")
    return json.dumps(first, indent=2) + "\n"


def _argo(pipeline: Pipeline, as_json: bool) -> str:
    """By the project's [tool.tidegate.argo]."""
    from tidegate.argo import runner, settings, text
    from tidegate.argo.compiling import compile as compiled

    documents = compiled(graph_of(pipeline), settings.load(), runner.archive())
    return text.listing(documents) if as_json else text.manifests(documents)


def load(pipeline: str, store: Path | None) -> Pipeline:
    """The pipeline that the user named; compiled anew only where something changed."""
    from tidegate.cli.references import store_folder
    from tidegate.local.load import load_pipeline

    folder = store_folder(store)
    return load_pipeline(pipeline, cache=folder / "compiled" if folder.is_dir() else None)


def graph_of(pipeline: Pipeline) -> Graph:
    from tidegate.graph.build import build
    from tidegate.spec import load as read

    return build(read(pipeline.spec, pipeline.where))


def _write(text: str, output: Path | None) -> None:
    if output is None:
        stdout().file.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror}") from error
    stderr().print(f"wrote {output}")


def _report(found: Sequence[Finding], to: Terminal) -> list[str]:
    from tidegate.cli.terminal import printable

    styles = {"error": "red bold", "warning": "yellow", "note": "dim"}
    lines: list[str] = []
    for finding in found:
        level = finding.level.value
        first, *rest = printable(f"{level} {finding.where}: {finding.message} [{finding.rule}]").splitlines()
        first, *more = to.wrapped(first)
        lines += [to.paint(level, styles[level]) + first.removeprefix(level), *more, *(f"    {line}" for line in rest)]
    counts = {level: sum(finding.level.value == level for finding in found) for level in styles}
    said = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count)
    return [*lines, said or "nothing to say: the pipeline looks right"]
