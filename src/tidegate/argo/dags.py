"""Templates of DAGs and loops, and all below them: a walk over the graph."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tidegate.argo import expressions, names, placeholders, wire
from tidegate.argo.arguments import ROOT_SUFFIX, Scope, arguments, conditions, undeclared
from tidegate.argo.expressions import Inexpressible
from tidegate.argo.images import Way, way
from tidegate.argo.leaf import UNSET, leaf, step_of
from tidegate.argo.nodes import ITERATION, START
from tidegate.argo.options import Options
from tidegate.argo.platform import pull_secrets, refused
from tidegate.argo.step.spec import FILE
from tidegate.graph.model import Component, Constant, Dag, FromTask, Graph, Task
from tidegate.graph.work import Container
from tidegate.spec.errors import Problem

ITEMS = "loop-items"
_ENDED = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")


@dataclass(slots=True)
class Templates:
    """What the walk has made so far; equal templates are one."""

    options: Options
    prefix: str
    """Of artifacts' keys."""
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> template, children before their parents."""
    steps: dict[str, str] = field(default_factory=dict)
    """File -> its content: the components, and their sources."""
    problems: list[Problem] = field(default_factory=list)
    pull_secrets: set[str] = field(default_factory=set)
    _names: dict[str, str] = field(default_factory=dict)
    """Content -> name."""
    _of_components: dict[tuple[int, str], str] = field(default_factory=dict)
    """Component and settings -> name, so that each is made once."""

    def add(self, wanted: str, template: dict[str, Any]) -> str:
        """The name that the template goes by."""
        content = json.dumps([wanted, template], sort_keys=True)
        if content not in self._names:
            self._names[content] = name = _free(wanted, self.found)
            self.found[name] = {"name": name, **template}
        return self._names[content]

    def step(self, wanted: str, component: Component) -> str:
        """The file that the component goes into; its source, if it has one, goes beside."""
        spec, source = step_of(component)
        content = json.dumps(["file", wanted, spec, source], sort_keys=True)
        if content not in self._names:
            name = _free(wanted, {file.rpartition(".")[0]: file for file in self.steps})
            if source:
                self.steps[f"{name}.py"] = source
                named = {FILE: f"{name}.py"}
                spec["command"] = [
                    named if isinstance(part, dict) and FILE in part else part for part in spec["command"]
                ]
            self.steps[f"{name}.json"] = json.dumps(spec, indent=1, ensure_ascii=False) + "\n"
            self._names[content] = f"{name}.json"
        return self._names[content]

    def root(self, graph: Graph) -> str:
        return self._dag(graph.root, True)

    def of(self, task: Task, where: str) -> str:
        """The name of the template that runs the task."""
        settings = json.dumps([task.retry.attempts, task.retry.backoff, task.retry.factor, task.retry.limit,
                               task.caching, task.cache_key, undeclared(task)])  # fmt: skip
        known = (id(task.component), settings if not isinstance(task.component.body, Dag) else "")
        if known not in self._of_components:
            self._of_components[known] = self._new(task, where)
        name = self._of_components[known]
        return name if task.iteration is None else self._loop(task, name)

    def _new(self, task: Task, where: str) -> str:
        if isinstance(task.component.body, Dag):
            return self._dag(task.component, False, where)
        return self._leaf(task, where)

    # ------------------------------------------------------------ steps
    def _leaf(self, task: Task, where: str) -> str:
        component = task.component
        self._check(task, where)
        wanted = names.template(component.name)
        try:
            return self.add(wanted, leaf(task, self.step(wanted, component), self.prefix, self.options))
        except Inexpressible as error:
            self.problems.append(Problem(where, str(error)))
            return wanted

    def _check(self, task: Task, where: str) -> None:
        component = task.component
        given = [*component.parameters, *component.artifacts, *component.output_parameters, *component.output_artifacts]
        self.problems += names.unnamable(where, [], given)
        if isinstance(component.body, Container):
            self.problems += [Problem(where, said) for said in refused(component.body)]
            self.pull_secrets.update(pull_secrets(component.body))
            if _quotes_workspace(task):
                self.problems.append(
                    Problem(
                        where, "a workspace that tasks share is not made on Argo; mount a claim (kubernetes.mount_pvc)"
                    )
                )
            if not component.body.command and way(component.body, self.options) is Way.BESIDE:
                self.problems.append(
                    Problem(where, "no command: Argo would ask the registry for the image's own; write it out")
                )

    # ------------------------------------------------------------ DAGs
    def _dag(self, component: Component, root: bool, where: str = "") -> str:
        scope = Scope(component, root)
        dag = scope.dag
        self.problems += names.unnamable(
            where or "root", list(dag.tasks), [*component.parameters, *component.artifacts]
        )
        tasks = [self._task(task, scope, f"{where}/{task.name}".lstrip("/")) for task in dag.tasks.values()]
        if loose := self._loose(dag):
            tasks = [
                _started(next(each["template"] for each in tasks if each["name"] in loose)),
                *_tied(tasks, dag, loose),
            ]
        template: dict[str, Any] = {"inputs": {"parameters": _dag_inputs(component, root)}}
        outputs = [
            _dag_output(name, sources, scope) for name, sources in (*dag.parameters.items(), *dag.artifacts.items())
        ]
        if outputs:
            template["outputs"] = {"parameters": outputs}
        template["dag"] = {"failFast": False, "target": " ".join(each["name"] for each in tasks), "tasks": tasks}
        if not template["inputs"]["parameters"]:
            del template["inputs"]
        return self.add(names.template(component.name), template)

    def _task(self, task: Task, scope: Scope, where: str) -> dict[str, Any]:
        said: dict[str, Any] = {"name": task.name, "template": self.of(task, where)}
        if task.after:
            said["depends"] = " && ".join(_depends(other, task.even_after_failure) for other in task.after)
        try:
            if task.condition is not None:
                said["when"] = expressions.tag(expressions.condition(task.condition.root, conditions(task, scope)))
            given = arguments(task, scope)
            if task.iteration is not None and isinstance(task.iteration.over, Constant):
                given.append({"name": ITEMS, "value": _items(task)})
            elif task.iteration is not None:
                source = next(each for each in given if each["name"] == task.iteration.over.name)  # type: ignore[union-attr]
                given.append({"name": ITEMS, "value": source["value"]})
        except Inexpressible as error:
            self.problems.append(Problem(where, str(error)))
            return said
        if given:
            said["arguments"] = {"parameters": given}
        return said

    def _loose(self, dag: Dag) -> set[str]:
        """The tasks that Argo ties nothing to where its cache answers: it looks for the last attempt; there is none.

        What comes after them would then never be seen, and the DAG (or the one around it) never end.
        """
        return {
            task.name
            for task in dag.tasks.values()
            if task.retry.attempts
            and task.caching
            and self.options.caching
            and isinstance(task.component.body, Container)
        }

    # ------------------------------------------------------------ loops
    def _loop(self, task: Task, body: str) -> str:
        """A DAG of one task, which runs once an item."""
        assert task.iteration is not None
        component, iteration = task.component, task.iteration
        items = expressions.input_of(ITEMS)
        outer = [name for name in (*component.parameters, *component.artifacts) if name != iteration.item]
        given = [{"name": name, "value": f"{{{{inputs.parameters.{name}}}}}"} for name in outer]
        item = expressions.item(items)
        if iteration.artifacts:
            item = f'"[" + {item} + "]"'
        given.append({"name": iteration.item, "value": expressions.tag(item)})
        inner = {
            "name": ITERATION,
            "template": body,
            "withSequence": {"count": expressions.tag(expressions.count(items))},
            "arguments": {"parameters": sorted(given, key=lambda each: each["name"])},
        }
        dag = task.component.body
        assert isinstance(dag, Dag)
        template: dict[str, Any] = {
            "inputs": {"parameters": [{"name": name, "value": UNSET} for name in (*outer, ITEMS)]},
        }
        outputs = [
            {"name": name, "valueFrom": {"expression": expressions.collected(ITERATION, name, artifacts)}}
            for group, artifacts in ((dag.parameters, False), (dag.artifacts, True))
            for name in group
        ]
        if outputs:
            template["outputs"] = {"parameters": outputs}
        if iteration.limit:
            template["parallelism"] = iteration.limit
        template["dag"] = {"failFast": False, "tasks": [inner]}
        return self.add(f"{names.template(component.name)}-loop", template)


def _started(template: str) -> dict[str, Any]:
    """A task that never runs, for others to be tied to."""
    return {"name": START, "template": template, "when": "false"}


def _tied(tasks: list[dict[str, Any]], dag: Dag, loose: set[str]) -> list[dict[str, Any]]:
    """What waits for a loose task waits for START as well, which has always ended."""
    found = []
    for said in tasks:
        if loose.intersection(dag.tasks[said["name"]].after):
            said = {**said, "depends": f"{said['depends']} && {START}.Skipped"}
        found.append(said)
    return found


def _quotes_workspace(task: Task) -> bool:
    body = task.component.body
    assert isinstance(body, Container)
    values = [each.source.value for each in task.parameters.values() if isinstance(each.source, Constant)]
    said = json.dumps([values, list(body.command), list(body.args), dict(body.env)], default=str)
    return "{{$" + placeholders.WORKSPACE in said


def _items(task: Task) -> str:
    assert task.iteration is not None and isinstance(task.iteration.over, Constant)
    value = task.iteration.over.value
    quoted, named = placeholders.quoted(value)
    if quoted or named:
        raise Inexpressible("a loop over a list that quotes other values; make the list in a component")
    return wire.dump(value)


def _dag_inputs(component: Component, root: bool) -> list[dict[str, str]]:
    found = []
    for name, declared in component.parameters.items():
        if root:
            text = expressions.tag(expressions.argument(name, declared.type))
        else:
            text = wire.dump(declared.default) if declared.has_default else UNSET
        found.append({"name": name + ROOT_SUFFIX if root else name, "value": text})
    return found + [{"name": name + ROOT_SUFFIX if root else name, "value": UNSET} for name in component.artifacts]


def _dag_output(name: str, sources: tuple[FromTask, ...], scope: Scope) -> dict[str, Any]:
    if len(sources) == 1 and not _may_be_skipped(sources[0].task, scope.dag):
        text = f"{{{{tasks.{sources[0].task}.outputs.parameters.{sources[0].output}}}}}"
        return {"name": name, "valueFrom": {"parameter": text}}
    texts = [expressions.output_of(each.task, each.output) for each in sources]
    return {"name": name, "valueFrom": {"expression": expressions.first_of(texts), "default": UNSET}}


def _may_be_skipped(task: str, dag: Dag) -> bool:
    """In a DAG that succeeds."""
    ahead, seen = [task], set()
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            if dag.tasks[name].condition is not None:
                return True
            ahead += dag.tasks[name].after
    return False


def _depends(task: str, in_any_case: bool) -> str:
    if not in_any_case:
        return f"{task}.Succeeded"
    return "(" + " || ".join(f"{task}.{state}" for state in _ENDED) + ")"


def _free(wanted: str, taken: dict[str, Any]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
