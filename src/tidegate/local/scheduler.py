"""The local engine's scheduler: `advance(graph, state, event) -> (state, actions)`, pure and total.

What it holds to (KFP's backend is the authority where engines differ):
- a task starts once all it waits for succeeded; where one failed or was skipped, it is skipped;
- a task with ALL_UPSTREAM_TASKS_COMPLETED (exit tasks, ignore_upstream_failure) starts once they ended, however;
- a failure does not stop what is independent of it, so that which tasks run does not depend on timing;
- a DAG fails if one of its tasks failed; a run likewise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from immutables import Map

from tidegate.graph import placeholders, tasks
from tidegate.graph.expressions import ExpressionError
from tidegate.graph.model import Component, Constant, Dag, Graph, Task
from tidegate.graph.placeholders import PlaceholderError
from tidegate.graph.values import items_of
from tidegate.graph.work import Outputs
from tidegate.local import capacity
from tidegate.local import inputs as resolving
from tidegate.local.events import (
    Action,
    CancelRequested,
    Event,
    Resumed,
    RetryDue,
    RunEnded,
    RunStarted,
    RunState,
    Settled,
    Start,
    Stop,
    TaskFailed,
    TaskState,
    TaskSucceeded,
    Wake,
)
from tidegate.local.state import Capacity, Inputs, Node, State, join
from tidegate.spec.values import ValueMismatchError

MAX_NODES = 500_000
"""Tasks, loops and iterations that one run may hold; a loop that would go beyond fails."""
_GOOD = (TaskState.SUCCEEDED, TaskState.CACHED)
_ENDS = (*_GOOD, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED)


def start(graph: Graph, event: RunStarted) -> tuple[State, tuple[Action, ...]]:
    """The run's first state and actions. `event.parameters` are checked and complete (`spec.check_parameters`)."""
    whole = Capacity(event.cpu, event.memory, event.max_tasks)
    state = State(Map(), Map(), 0, 0, replace(whole, tasks=0), whole, dict(event.names))
    step = _Step(graph, state)
    assert isinstance(graph.root.body, Dag)
    step.open_dag("", "dag", None, "", graph.root.body, Inputs(dict(event.parameters), {}), False)
    return step.finish()


def advance(graph: Graph, state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """What follows from an event. One that means nothing in this state (late, repeated) changes nothing."""
    if state.ended is not None or not _means_something(state, event):
        return state, ()
    step = _Step(graph, state)
    match event:
        case TaskSucceeded():
            step.succeeded(event)
        case TaskFailed():
            step.failed(event)
        case RetryDue():
            step.retry(event.path)
        case CancelRequested():
            step.cancel()
        case Resumed():
            step.resume()
    return step.finish()


def _means_something(state: State, event: Event) -> bool:
    match event:
        case TaskSucceeded() | TaskFailed():
            node = state.nodes.get(event.path)
            return node is not None and node.state is TaskState.RUNNING and node.attempt == event.attempt > 0
        case RetryDue():
            node = state.nodes.get(event.path)
            return node is not None and node.state is TaskState.WAITING
        case CancelRequested():
            return state.cancels < 2
    return not isinstance(event, RunStarted)


class _Step:
    """One event's work on a copy of the state that may change; `finish` gives the new state."""

    def __init__(self, graph: Graph, state: State) -> None:
        self.graph = graph
        self.state = state
        self.nodes = state.nodes.mutate()
        self.ready = state.ready.mutate()
        self.head, self.tail = state.head, state.tail
        self.free = state.free
        self.cancels = state.cancels
        self.ended = state.ended
        self.actions: list[Action] = []
        self.todo: deque[Any] = deque()

    def finish(self) -> tuple[State, tuple[Action, ...]]:
        while True:
            while self.todo:
                self.todo.popleft()()
            if not self._start_one():
                break
        state = replace(
            self.state,
            nodes=self.nodes.finish(),
            ready=self.ready.finish(),
            head=self.head,
            tail=self.tail,
            free=self.free,
            cancels=self.cancels,
            ended=self.ended,
        )
        return state, tuple(self.actions)

    # ------------------------------------------------------------ events
    def succeeded(self, event: TaskSucceeded) -> None:
        node = self.nodes[event.path]
        self._release(node)
        state = TaskState.CACHED if event.cached_from else TaskState.SUCCEEDED
        self._settle(node, state, outputs=event.outputs)

    def failed(self, event: TaskFailed) -> None:
        node = self.nodes[event.path]
        assert node.task is not None
        self._release(node)
        retry = node.task.retry
        if self._is_cancelled(node):
            self._settle(node, TaskState.CANCELLED, error="cancelled")
        elif event.retriable and event.attempt <= retry.attempts:
            at = event.at + retry.delay(event.attempt)
            self.nodes[node.path] = replace(node, state=TaskState.WAITING, wake_at=at, error=event.error)
            self.actions.append(Wake(node.path, at))
        else:
            self._settle(node, TaskState.FAILED, error=event.error)

    def retry(self, path: str) -> None:
        node = self.nodes[path]
        self._queue(replace(node, attempt=node.attempt + 1))

    def cancel(self) -> None:
        self.cancels += 1
        for path in sorted(self.state.nodes):
            node = self.nodes[path]
            if node.work is None or not self._is_cancelled(node):
                continue
            if node.state is TaskState.RUNNING:
                self.actions.append(Stop(path))
            elif node.state in (TaskState.PENDING, TaskState.WAITING):
                self._settle(node, TaskState.CANCELLED, error="cancelled")

    def resume(self) -> None:
        for path in sorted(self.state.nodes):
            node = self.nodes[path]
            if node.work is None:
                continue
            if node.state is TaskState.WAITING:
                self.actions.append(Wake(path, node.wake_at))
            elif node.state is TaskState.RUNNING and self._is_cancelled(node):
                self._release(node)
                self._settle(node, TaskState.CANCELLED, error="cancelled")
            elif node.state is TaskState.RUNNING:
                self.actions.append(Start(node.work, node.attempt))

    def _is_cancelled(self, node: Node) -> bool:
        return self.cancels > (1 if node.exit else 0)

    # ------------------------------------------------------------ beginning
    def open_dag(
        self, path: str, kind: str, task: Task | None, parent: str, dag: Dag, given: Inputs, is_exit: bool
    ) -> None:
        """Begin an instance of a DAG: its first tasks are considered."""
        waiting = Map({name: len(each.after) for name, each in dag.tasks.items() if each.after})
        self.nodes[path] = Node(
            path, kind, task, parent, dag=dag, inputs=given, exit=is_exit, waiting=waiting, left=len(dag.tasks)
        )
        self.todo.extend(partial(self._consider, path, name) for name, each in dag.tasks.items() if not each.after)
        if not dag.tasks:
            self.todo.append(partial(self._close_dag, path))

    def _open_loop(self, path: str, task: Task, parent: str, given: Inputs, is_exit: bool) -> None:
        assert task.iteration is not None
        node = Node(path, "loop", task, parent, inputs=given, exit=is_exit)
        over = task.iteration.over
        found: Sequence[Any]
        if isinstance(over, Constant):
            found = items_of(placeholders.constant(over.value, given.parameters, self.state.names))
        elif task.iteration.artifacts:
            found = given.artifacts.get(over.name, ())
        else:
            found = items_of(given.parameters.get(over.name))
        if len(self.nodes) + len(found) * task.component.size > MAX_NODES:
            raise ValueMismatchError(
                f"{len(found)} iterations of {task.component.size} tasks: more than {MAX_NODES} in one run"
            )
        self.nodes[path] = replace(node, items=tuple(found), left=len(found))
        if not found:
            self.todo.append(partial(self._close_loop, path))
        limit = task.iteration.limit or len(found)
        for _ in range(min(limit, len(found))):
            self.todo.append(partial(self._open_iteration, path))

    def _open_iteration(self, path: str) -> None:
        loop = self.nodes[path]
        assert loop.task is not None and loop.task.iteration is not None and loop.inputs is not None
        index, name = loop.opened, loop.task.iteration.item
        if index >= len(loop.items):
            return
        self.nodes[path] = replace(loop, opened=index + 1)
        component = loop.task.component
        assert isinstance(component.body, Dag)
        parameters, artifacts = loop.inputs.parameters, loop.inputs.artifacts
        if loop.task.iteration.artifacts:
            artifacts = {**artifacts, name: (loop.items[index],)}
        else:
            parameters = {**parameters, name: loop.items[index]}
        self.open_dag(
            join(path, str(index)),
            "iteration",
            loop.task,
            path,
            component.body,
            Inputs(parameters, artifacts),
            loop.exit,
        )

    def _consider(self, parent: str, name: str) -> None:
        """All that a task waits for has ended: run it, skip it, or say why it cannot run."""
        dag = self.nodes[parent]
        assert dag.dag is not None
        task = dag.dag.tasks[name]
        is_exit = dag.exit or task.even_after_failure
        path = join(parent, name)
        node = Node(path, _kind(task), task, parent, exit=is_exit)
        if self._is_cancelled(node):
            self._settle(node, TaskState.CANCELLED, error="cancelled")
            return
        if not task.even_after_failure:
            for other in task.after:
                ended = self.nodes[join(parent, other)]
                if ended.state not in _GOOD:
                    cancelled = ended.state is TaskState.CANCELLED
                    reason = f"{other} {'failed' if ended.state is TaskState.FAILED else f'was {ended.state}'}"
                    self._settle(node, TaskState.CANCELLED if cancelled else TaskState.SKIPPED, error=reason)
                    return
        try:
            given = resolving.resolve(task, dag, self.nodes, self.state.names)
            if task.condition is not None and not task.condition.evaluate(given.parameters):
                self._settle(node, TaskState.SKIPPED, error=f"the condition is false: {task.condition.text}")
                return
            self._begin(node, task, given, dag)
        except (tasks.UnresolvedError, ValueMismatchError, ExpressionError, PlaceholderError) as error:
            self._settle(node, TaskState.FAILED, error=str(error))

    def _begin(self, node: Node, task: Task, given: Inputs, dag: Node) -> None:
        body = task.component.body
        if task.iteration is not None:
            self._open_loop(node.path, task, node.parent, given, node.exit)
        elif isinstance(body, Dag):
            self.open_dag(node.path, node.kind, task, node.parent, body, given, node.exit)
        else:
            settings = resolving.settings(task, dag, self.nodes, self.state.names) if task.settings else {}
            work = tasks.work(node.path, task, given.parameters, given.artifacts, self.state.names, settings)
            if refusal := capacity.refusal(work, self.state.capacity):
                self._settle(replace(node, work=work), TaskState.FAILED, error=refusal)
            else:
                self._queue(replace(node, work=work, attempt=1, inputs=given))

    # ------------------------------------------------------------ capacity
    def _queue(self, node: Node) -> None:
        self.nodes[node.path] = replace(node, state=TaskState.PENDING)
        self.ready[self.tail] = node.path
        self.tail += 1

    def _start_one(self) -> bool:
        """Start the next leaf if there is room. In order: a big one is not passed by small ones for ever."""
        while self.head < self.tail:
            node = self.nodes[self.ready[self.head]]
            if node.state is TaskState.PENDING:
                break
            del self.ready[self.head]  # settled meanwhile, by a cancel
            self.head += 1
        else:
            return False
        assert node.work is not None
        after = capacity.without(self.free, node.work, self.state.capacity)
        if after is None:
            return False
        del self.ready[self.head]
        self.head += 1
        self.free = after
        self.nodes[node.path] = replace(node, state=TaskState.RUNNING)
        self.actions.append(Start(node.work, node.attempt))
        return True

    def _release(self, node: Node) -> None:
        assert node.work is not None
        self.free = capacity.returned(self.free, node.work, self.state.capacity)

    # ------------------------------------------------------------ ending
    def _settle(self, node: Node, state: TaskState, outputs: Outputs | None = None, error: str = "") -> None:
        """A node's end; what follows from it is done later, so that long chains do not recurse."""
        self.nodes[node.path] = replace(
            node, state=state, outputs=outputs or Outputs(), error=error, inputs=None, items=(), waiting=Map()
        )
        self.actions.append(Settled(node.path, state, error, node.kind))
        self.todo.append(partial(self._ended, node.path))

    def _ended(self, path: str) -> None:
        """Tell the parent, and those that waited."""
        node = self.nodes[path]
        parent = self.nodes[node.parent]
        parent = replace(
            parent,
            left=parent.left - 1,
            failed=parent.failed + (node.state is TaskState.FAILED),
            cancelled=parent.cancelled + (node.state is TaskState.CANCELLED),
            error=parent.error or (node.said if node.state is TaskState.FAILED else ""),
        )
        if parent.kind == "loop":
            self._iteration_ended(parent)
            return
        assert parent.dag is not None and node.task is not None
        followers = parent.dag.followers[node.task.name]
        if followers:
            waiting = parent.waiting.mutate()
            for name in followers:
                waiting[name] -= 1
                if waiting[name] == 0:
                    self.todo.append(partial(self._consider, parent.path, name))
            parent = replace(parent, waiting=waiting.finish())
        self.nodes[parent.path] = parent
        if parent.left == 0:
            self._close_dag(parent.path)

    def _iteration_ended(self, loop: Node) -> None:
        if self._is_cancelled(loop) and loop.opened < len(loop.items):
            loop = replace(
                loop,
                left=loop.left - (len(loop.items) - loop.opened),
                items=loop.items[: loop.opened],
                cancelled=loop.cancelled + 1,
            )
        self.nodes[loop.path] = loop
        if loop.left == 0:
            self._close_loop(loop.path)
        elif loop.opened < len(loop.items):
            self._open_iteration(loop.path)

    def _close_loop(self, path: str) -> None:
        loop = self.nodes[path]
        assert loop.task is not None
        iterations = [self.nodes[join(path, str(index))] for index in range(len(loop.items))]
        outputs = resolving.collected(loop.task.component, iterations)
        self._settle(loop, loop.outcome, outputs, loop.error)

    def _close_dag(self, path: str) -> None:
        node = self.nodes[path]
        assert node.dag is not None
        outputs = resolving.dag_outputs(node.dag, path, self.nodes, self._component(node))
        if path:
            self._settle(node, node.outcome, outputs, node.error)
            return
        failed = RunState.FAILED if node.failed else RunState.SUCCEEDED
        self.ended = RunState.CANCELLED if self.cancels and node.cancelled else failed
        self.nodes[path] = replace(node, state=node.outcome, outputs=outputs)
        self.actions.append(RunEnded(self.ended, outputs, node.error))

    def _component(self, node: Node) -> Component:
        return node.task.component if node.task is not None else self.graph.root


def _kind(task: Task) -> str:
    if task.iteration is not None:
        return "loop"
    if not isinstance(task.component.body, Dag):
        return "task"
    return "condition" if task.condition is not None else "dag"
