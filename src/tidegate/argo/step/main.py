"""The runner's three ways: `run`, `prepare` and `collect`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tidegate.argo.step import importing, inputs, outputs, places, program
from tidegate.argo.step.spec import decode
from tidegate.graph.executor_io import OutputError, command_line, executor_input
from tidegate.graph.model import Component
from tidegate.graph.placeholders import PlaceholderError
from tidegate.graph.tasks import UnresolvedError
from tidegate.graph.work import Container, Importer, Work
from tidegate.local import bootstrap

FAILED, NOT_AGAIN = 1, 64
"""Exit codes: of a task that failed; of one for which trying again cannot help."""
_MESSAGE_BYTES = 4000  # of 4096 that Kubernetes keeps
_OURS = ("TIDEGATE_RUN", "TIDEGATE_RUN_UID", "TIDEGATE_RUN_CREATED", "TIDEGATE_KEY", "TIDEGATE_NODE")


def main(arguments: list[str]) -> int:
    """`MODE SPEC`: the exit code; what went wrong is the container's termination message."""
    modes: Mapping[str, Callable[[Component], int]] = {"run": _run, "prepare": _prepare, "collect": _collect}
    mode, spec = arguments
    component = decode(json.loads(_read(Path(spec))), lambda name: _read(Path(spec).with_name(name)))
    try:
        return modes[mode](component)
    except (UnresolvedError, PlaceholderError) as error:
        return _failed(str(error), NOT_AGAIN)
    except (OutputError, program.CannotInstall) as error:
        return _failed(str(error), FAILED)
    except Exception as error:
        traceback.print_exc()
        return _failed(f"the step runner failed: {type(error).__name__}: {error}", FAILED)


def _run(component: Component) -> int:
    if isinstance(component.body, Importer):
        names = inputs.names_of(os.environ)
        work = inputs.work_of(component, inputs.lines(_given()), names)
        outputs.write(importing.bring_in(work, os.environ.get("TIDEGATE_REPOSITORY", "")))
        return 0
    work, given, command = _ready(component)
    assert isinstance(work.executor, Container)
    env = {**_variables(os.environ), **work.executor.env}
    what = bootstrap.parse(command)
    if isinstance(what, bootstrap.Function) and what.installs:
        program.install(what.installs, env)
    ended = program.run(what, env, work.timeout, work.executor.memory)
    if ended.ending != "succeeded":
        return _failed(ended.error or ended.ending, FAILED)
    return _finish(component, work, given)


def _prepare(component: Component) -> int:
    """Leave the command as a script, for the shell that goes with it."""
    work, given, command = _ready(component)
    assert isinstance(work.executor, Container)
    Path(places.STATE).write_text(json.dumps(given), encoding="utf-8")
    shutil.copy(_shell(), places.SHELL)
    Path(places.SHELL).chmod(0o755)
    quoted = " ".join(shlex.quote(part) for part in command)
    env = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in work.executor.env.items())
    limit = f"{places.SHELL} timeout -k 10 {work.timeout:g} " if work.timeout else ""
    script = _SCRIPT.format(
        shell=places.SHELL, log=places.LOG, message=places.MESSAGE, task=places.TASK, env=env,
        seconds=f"{work.timeout or 0:g}", command=f"{limit}{quoted}",
    )  # fmt: skip
    Path(places.SCRIPT).write_text(script, encoding="utf-8", errors="surrogateescape")
    return 0


_SCRIPT = """\
{env}cd {task}
{{ {command}; echo $? > {log}.code; }} 2>&1 | {shell} tee {log}
code=$({shell} cat {log}.code)
[ "$code" = 0 ] && exit 0
if [ "$code" = 143 ] && [ {seconds} != 0 ]; then
  {shell} printf '%s' 'timed out: the task ran longer than {seconds} s' > {message}
else
  trim='s/^[[:space:]]*//;s/[[:space:]]*$//;/^$/d'
  last=$({shell} tail -c 8192 {log} | {shell} sed "$trim" | {shell} tail -n 1)
  if [ -n "$last" ]; then
    {shell} printf '%s (exit status %s)' "$last" "$code" > {message}
  else
    {shell} printf 'exit status %s' "$code" > {message}
  fi
fi
exit "$code"
"""


def _collect(component: Component) -> int:
    names = inputs.names_of(os.environ)
    work = inputs.work_of(component, inputs.lines(_given()), names)
    return _finish(component, work, json.loads(Path(places.STATE).read_text(encoding="utf-8")))


def _ready(component: Component) -> tuple[Work, dict[str, Any], tuple[str, ...]]:
    """The work, its ExecutorInput, and its command; the folders are there."""
    names = inputs.names_of(os.environ)
    work = inputs.work_of(component, inputs.lines(_given()), names)
    for folder in (f"{places.OUTPUTS}/.parameters", places.TASK, places.HOME):
        Path(folder).mkdir(parents=True, exist_ok=True)
    given = executor_input(work, places.OUTPUTS)
    return work, given, command_line(work, given, names)


def _finish(component: Component, work: Work, given: Mapping[str, Any]) -> int:
    brought = inputs.brought(component, inputs.lines(_given()))
    outputs.write(outputs.collect(work, given, os.environ["TIDEGATE_KEY"], brought))
    return 0


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _given() -> str:
    path = Path(places.GIVEN)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What the task sees: the container's own, without ours and Argo's."""
    return {name: value for name, value in environ.items() if name not in _OURS and not name.startswith("ARGO_")}


def _shell() -> str:
    found = shutil.which("busybox")
    if found is None:
        raise UnresolvedError("the image that prepares steps has no busybox: `host_image` in [tool.tidegate.argo]")
    return found


def _failed(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the step's log
    data = message.encode("utf-8", "replace")
    if len(data) > _MESSAGE_BYTES:
        data = data[:_MESSAGE_BYTES].decode("utf-8", "ignore").encode() + " …".encode()
    try:
        Path(places.MESSAGE).write_bytes(data)
    except OSError as error:
        print(f"cannot write {places.MESSAGE}: {error}", file=sys.stderr)  # noqa: T201
    return code
