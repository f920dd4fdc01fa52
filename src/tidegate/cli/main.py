"""The entry point: whatever goes wrong ends in one block of text and an exit code, never in our traceback."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

from tidegate.cli.failures import CommandError, Exit, block
from tidegate.cli.terminal import printable, stderr

_SIGPIPE = 141  # what a shell reports for a process that a closed pipe ended

_FORESEEN = (  # errors whose message is for the user; where the module is not loaded, the error is not of its kind
    ("tidegate.store.database", "StoreFull", Exit.ENVIRONMENT),
    ("tidegate.store.database", "StoreError", Exit.USAGE),
    ("tidegate.local.reference", "PipelineError", Exit.USAGE),
    ("tidegate.spec.errors", "SpecError", Exit.USAGE),
    ("tidegate.local.settings", "SettingsError", Exit.USAGE),
    ("tidegate.local.environments", "NoEnvironment", Exit.ENVIRONMENT),
    ("tidegate.local.making", "CannotMake", Exit.ENVIRONMENT),
    ("tidegate.local.secrets", "SecretsError", Exit.USAGE),
    ("tidegate.models.destination", "ModelNotFoundError", Exit.USAGE),
    ("tidegate.cluster.observed", "RefusedError", Exit.USAGE),
    ("tidegate.cluster.observed", "ClusterError", Exit.ENVIRONMENT),
)


def main() -> None:
    """`tidegate` on the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _quiet_pipe()
    sys.exit(code)


def run(args: list[str]) -> int:
    """Run one command line; gives its exit code."""
    try:
        return _invoke(args)
    except BrokenPipeError:
        return _quiet_pipe()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        if os.environ.get("TIDEGATE_DEBUG"):
            raise
        return _told(error)


def _invoke(args: list[str]) -> int:
    from tidegate.cli.app import build

    command = build()
    if os.environ.get("_TIDEGATE_COMPLETE"):
        from typer._completion_classes import completion_init

        completion_init()
    return int(command.main(args=args, prog_name="tidegate", standalone_mode=False) or 0)


def _told(error: Exception) -> int:
    """Print what went wrong; gives the exit code."""
    failure = _failure(error)
    to = stderr()
    lines = []
    for line in block(failure.what, failure.facts):
        lines += to.wrapped(printable(line), 12 if line.startswith("  ") else 2)
    to.print(to.paint("error:", "red bold") + lines[0].removeprefix("error:"))
    to.lines(lines[1:])
    return failure.code


def _failure(error: Exception) -> CommandError:
    """The error as the user is to see it."""
    if isinstance(error, CommandError):
        return error
    if hasattr(error, "format_message"):  # the parser's own errors
        return _usage(error)
    for module, name, code in _FORESEEN:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return CommandError(str(error), code=code)
    if isinstance(error, OSError):
        subject = f": {error.filename}" if error.filename else ""
        return CommandError(f"{error.strerror or error}{subject}", code=Exit.ENVIRONMENT)
    return CommandError(
        f"{type(error).__name__}: {error}",
        found="an error that tidegate should have foreseen: it is a defect of tidegate",
        fix="TIDEGATE_DEBUG=1 shows where; please report it with that traceback",
        code=Exit.DEFECT,
    )


def _usage(error: Any) -> CommandError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "tidegate"
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    usage = context.get_usage().removeprefix("Usage: ") if context else ""
    return CommandError(
        message[:1].lower() + message[1:],
        expected=" ".join(usage.split()),
        fix=f"`{path} --help` explains, with examples",
    )


def _quiet_pipe() -> int:
    """The reader is gone (`tidegate runs | head`): end quietly, and keep Python from complaining at exit."""
    for stream in (sys.stdout, sys.stderr):
        _point_nowhere(stream)
    return _SIGPIPE


def _point_nowhere(stream: TextIO) -> None:
    try:
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    main()
