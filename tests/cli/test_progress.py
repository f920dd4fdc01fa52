"""What a run says of itself as it goes: a redrawn table at a terminal, plain lines elsewhere."""

import io
import threading

from tidegate.cli.terminal import Terminal
from tidegate.cli.views.lines import Lines
from tidegate.cli.views.live import bar, chosen, drawn
from tidegate.local.events import TaskState
from tidegate.local.watch import RunView, TaskView


def screen(width: int = 0) -> Terminal:
    return Terminal(io.StringIO(), interactive=False, colour=False, width=width)


def lines_of(*steps: dict[str, object], slow: bool = True) -> list[str]:
    """What Lines prints when one task goes through these steps, without the times of day."""
    to, view = screen(), RunView("run-1", "flights")
    with Lines(to, patience=0.0 if slow else 60.0) as watch:
        watch(view, [])
        for step in steps:
            watch(view, [view.task("train", **step)])
            if slow:
                for thread in threading.enumerate():
                    if isinstance(thread, threading.Timer):
                        thread.join()
    assert isinstance(to.file, io.StringIO)
    return [line.partition(" ")[2] for line in to.file.getvalue().splitlines()]


def test_a_task_has_a_line_when_it_has_started_and_one_when_it_ends() -> None:
    said = lines_of(
        {"state": TaskState.RUNNING, "attempt": 1, "started": 10.0},
        {"state": TaskState.SUCCEEDED, "ended": 12.5, "rows": 336_776},
    )
    assert said == ["run run-1 started", "train: started", "train: succeeded in 2.5s, 336,776 rows"]


def test_a_task_that_ends_at_once_has_one_line() -> None:
    said = lines_of(
        {"state": TaskState.RUNNING, "started": 10.0},
        {"state": TaskState.CACHED, "cached_from": "run-0", "ended": 10.0},
        slow=False,
    )
    assert said[1:] == ["train: cached, from run run-0"]


def test_a_task_that_is_tried_again_says_why() -> None:
    said = lines_of(
        {"state": TaskState.RUNNING, "attempt": 1, "started": 10.0},
        {"state": TaskState.WAITING, "error": "ValueError: no"},
        {"state": TaskState.RUNNING, "attempt": 2},
        {"state": TaskState.FAILED, "ended": 11.0, "error": "ValueError: still no"},
    )
    assert said[2:] == [
        "train: attempt 1 failed, will be tried again: ValueError: no",
        "train: started, attempt 2",
        "train: failed after 1.0s: ValueError: still no",
    ]


def test_what_a_task_says_every_instant_is_not_all_printed() -> None:
    messages: list[dict[str, object]] = [{"state": TaskState.RUNNING, "message": f"epoch {n}"} for n in range(100)]
    assert len(lines_of(*messages)) == 2


def test_that_the_run_is_being_cancelled_is_said_once() -> None:
    to, view = screen(), RunView("run-1", "flights", notice="cancelling: Ctrl-C")
    with Lines(to) as watch:
        watch(view, [])
        watch(view, [])
    assert isinstance(to.file, io.StringIO)
    assert to.file.getvalue().count("cancelling: Ctrl-C") == 1


def test_only_tasks_have_lines_not_the_dags_around_them() -> None:
    assert lines_of({"kind": "dag", "state": TaskState.RUNNING}) == ["run run-1 started"]


def test_lines_go_nowhere_when_their_reader_has_gone() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with Lines(Terminal(Gone(), interactive=False, colour=False, width=0)) as watch:
        watch(RunView("run-1", "flights"), [TaskView("train", state=TaskState.RUNNING)])


def busy(count: int) -> RunView:
    """A run of `count` tasks of which all but the last two have ended; the third has failed."""
    view = RunView("run-1", "flights", started=100.0, total=count)
    for number in range(count):
        state = TaskState.RUNNING if number >= count - 2 else TaskState.FAILED if number == 2 else TaskState.SUCCEEDED
        view.task(f"loop/{number}/train", state=state, started=100.0, ended=None if number >= count - 2 else 101.0)
    return view


def test_the_picture_fits_the_screen_and_keeps_what_runs_and_what_failed() -> None:
    shown = [task.path for task in chosen(list(busy(10_000).tasks.values()), 6)]
    assert shown == ["loop/2/train", *(f"loop/{n}/train" for n in range(9_995, 10_000))]


def test_the_picture_ends_with_a_summary() -> None:
    picture = drawn(busy(20), now=165.0, room=10, to=screen(80))
    assert picture[-1] == "run-1  2 running, 17 of 20 done, 1 failed  1m 05s"
    assert max(map(len, picture)) <= 80


def test_a_task_that_knows_how_much_is_left_has_a_bar() -> None:
    view = RunView("run-1", "flights", started=100.0, total=1)
    view.task("train", state=TaskState.RUNNING, started=100.0, message="epoch 3", done=3.0, total=10.0)
    assert f"{bar(0.3)} epoch 3" in drawn(view, 101.0, 10, screen(80))[1]
    assert bar(7.0) == "━" * 10
