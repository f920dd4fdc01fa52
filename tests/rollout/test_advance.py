"""What a rollout does, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.rollout.playing import ERRORS, NOW, Place, plan, play
from tidegate.rollout.actions import Drop, Prepare, Promote, Record, SetTraffic, Wait
from tidegate.rollout.advance import advance, start
from tidegate.rollout.observation import CANARY, STABLE, Observation, Routing
from tidegate.rollout.state import Phase

GIT = {"repository": "https://example.com/r.git", "path": "model.yaml"}


def kinds(actions) -> list[str]:
    names = [type(each).__name__ for each in actions]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def test_a_good_model_goes_up_step_by_step_and_is_promoted():
    played = play(plan())
    assert played.state.phase is Phase.PROMOTED
    assert played.weights() == [0, 10, 50, 0]
    assert played.place.routing.models == {STABLE: "new"}
    assert kinds(played.place.done)[:2] == ["Prepare", "SetTraffic"]


def test_a_bad_model_loses_its_requests_first_and_ends_then():
    played = play(plan(), Place(errors={STABLE: 0.01, CANARY: 0.2}))
    assert played.state.phase is Phase.ROLLED_BACK
    assert played.place.routing.models == {STABLE: "old"}
    assert kinds(played.place.done) == ["Prepare", "SetTraffic", "Drop"]
    assert SetTraffic({STABLE: 100, CANARY: 0}) in played.place.done
    assert played.place.done[-1] == Drop()
    assert "breaks errors" in played.state.reason


def test_a_step_lasts_as_long_as_it_says():
    steps = [{"weight": 10, "minSeconds": 60, "minRequests": 5000}, {"weight": 50}]
    played = play(plan(strategy={"canary": {"steps": steps}}))
    at_ten = [state for state in played.states if state.weight == 10 and state.entered is not None]
    assert at_ten[-1].age - at_ten[0].age >= 60
    assert at_ten[-1].requests >= 4900  # 100 a turn


def test_promotion_waits_for_evidence_however_long_the_steps_last():
    place = Place(rate=10.0)
    played = play(plan(), place, turns=40)
    assert played.state.phase is Phase.PROGRESSING
    assert played.state.weight == 50
    assert isinstance(played.actions[-1], Wait)
    assert "not enough evidence yet for errors" in played.actions[-1].reason


def test_an_adaptive_ramp_grows_as_the_evidence_allows():
    adaptive = {"canary": {"adaptive": {"start": 1, "most": 40, "growth": 3}}}
    played = play(plan(strategy=adaptive))
    assert played.weights() == [0, 1, 3, 9, 27, 40, 0]
    assert played.state.phase is Phase.PROMOTED
    slow = play(plan(strategy=adaptive), Place(rate=100.0), turns=2000)
    assert slow.state.phase is Phase.PROMOTED
    assert len(slow.states) > 2 * len(played.states)


def test_each_weight_needs_its_own_evidence():
    """A model that is fine until it has half of the requests does not live on what it showed before."""
    errors = {STABLE: 0.01, CANARY: 0.01}

    def breaks(turn, place):
        if place.routing.weights.get(CANARY, 0) == 50:
            errors[CANARY] = 0.05

    played = play(plan(), Place(errors=errors), before=breaks)
    assert played.state.phase is Phase.ROLLED_BACK
    assert max(played.weights()) == 50


def test_a_model_that_was_good_for_long_and_breaks_is_gone_soon():
    errors = {STABLE: 0.01, CANARY: 0.01}

    def breaks(turn, place):
        if turn == 200:
            errors[CANARY] = 1.0

    steps = [{"weight": 10, "minSeconds": 10_000}]
    played = play(plan(strategy={"canary": {"steps": steps}}), Place(errors=errors), before=breaks)
    gone = next(at for at, state in enumerate(played.states) if state.phase is Phase.ROLLING_BACK)
    assert gone <= 203


def test_silence_holds_and_then_goes_back():
    def falls_silent(turn, place):
        place.silent = place.routing.weights.get(CANARY, 0) == 50

    played = play(plan(deadlines={"evidenceSeconds": 60}), before=falls_silent, turns=100)
    assert played.state.phase is Phase.ROLLED_BACK
    assert "no new evidence for errors for 60 s" in played.state.reason


def test_no_traffic_at_all_is_no_evidence():
    played = play(plan(deadlines={"evidenceSeconds": 60}), Place(rate=0.0), turns=100)
    assert played.state.phase is Phase.ROLLED_BACK
    assert max(played.weights()) == 10


def test_a_driver_that_was_down_finds_the_evidence_that_came_meanwhile():
    def sleeps(turn, place):
        if turn == 5:
            place.counts[CANARY][0] += 50
            place.counts[STABLE][0] += 450

    seen = play(plan(), before=sleeps, turns=5)
    later = play(plan(), seen.place, state=seen.state, now=NOW + 1_000_000)
    assert later.state.phase is Phase.PROMOTED


def test_a_clock_that_jumps_forward_condemns_no_model():
    seen = play(plan(), turns=5)
    state, _ = advance(plan(), seen.state, seen.place.seen(NOW + 1e7), NOW + 1e7)
    assert state.phase is Phase.PROGRESSING


def test_a_clock_that_is_set_back_stops_nothing():
    seen = play(plan(), turns=5)
    later = play(plan(), seen.place, state=seen.state, now=NOW - 1e6)
    assert later.state.phase is Phase.PROMOTED


def test_a_model_that_never_gets_ready_goes_back():
    played = play(plan(deadlines={"readySeconds": 100}), perform=lambda turn: turn > 40)
    assert played.state.phase is Phase.ROLLED_BACK
    assert "not ready within 100 s" in played.state.reason
    assert {type(each) for each in played.actions[:19]} == {Prepare}
    assert Drop(emergency=True) in played.actions  # it may still be on its way up


def test_why_it_is_not_ready_is_told():
    place = Place()
    place.routing = replace(place.routing, models={STABLE: "old", CANARY: "new"}, failing={CANARY: "no such image"})
    state, action = advance(plan(), start(plan(), NOW, "old"), place.seen(NOW + 1), NOW + 1)
    assert action == Prepare("new")
    assert "no such image" in state.reason


def test_a_model_that_fails_outright_is_dropped_at_once():
    def crashes(turn, place):
        if place.routing.weights.get(CANARY, 0) == 50:
            place.routing = replace(place.routing, failing={CANARY: "exit status 139"})

    played = play(plan(), before=crashes)
    assert played.place.done[-1] == Drop(emergency=True)
    assert SetTraffic({STABLE: 100, CANARY: 0}) not in played.place.done
    assert "exit status 139" in played.state.reason


def test_a_rollback_that_is_stuck_drops_the_model():
    """Weights are frozen (Seldon's while a replica is down): what does not come into force is not waited for."""
    frozen = False

    def breaks(turn, place):
        nonlocal frozen
        if place.routing.weights.get(CANARY, 0) == 10:
            frozen, place.errors[CANARY] = True, 0.5

    place = Place()
    perform = place.perform
    place.perform = lambda action: None if frozen and isinstance(action, SetTraffic) else perform(action)  # type: ignore
    played = play(plan(), place, before=breaks, turns=60)
    assert played.state.phase is Phase.ROLLED_BACK
    assert place.done[-1] == Drop(emergency=True)


def test_traffic_that_never_comes_into_force_goes_back():
    played = play(plan(deadlines={"readySeconds": 50}), perform=lambda turn: turn == 0 or turn > 30)
    assert played.state.phase is Phase.ROLLED_BACK
    assert "did not come into force" in played.state.reason


def test_an_unready_model_is_not_waited_for_forever():
    def sickens(turn, place):
        if place.routing.weights.get(CANARY, 0) == 50:
            place.routing = replace(place.routing, ready={STABLE: True, CANARY: False})

    played = play(plan(deadlines={"evidenceSeconds": 60}), before=sickens, turns=100)
    assert played.state.phase is Phase.ROLLED_BACK
    assert Drop(emergency=True) in played.place.done


def test_what_was_asked_for_is_asked_again_until_it_is_in_force():
    played = play(plan(), perform=lambda turn: turn % 3 == 2)
    assert played.state.phase is Phase.PROMOTED
    assert played.weights() == [0, 10, 50, 0]


def test_the_total_deadline():
    played = play(plan(deadlines={"totalSeconds": 300}), Place(rate=3.0))
    assert played.state.phase is Phase.ROLLED_BACK
    assert "not promoted within 300 s" in played.state.reason


# ------------------------------------------------------------ people
def test_a_paused_plan_goes_nowhere():
    played = play(plan(paused=True), turns=50)
    assert played.state.phase is Phase.PREPARING
    assert all(isinstance(each, Wait) for each in played.actions)


def test_pause_holds_and_resume_goes_on():
    commands = {3: ["pause"], 40: ["resume"]}
    played = play(plan(), before=lambda turn, place: commands.get(turn))
    assert {state.weight for state in played.states[4:40]} == {10}
    assert played.state.phase is Phase.PROMOTED


def test_a_breach_goes_back_even_while_it_is_paused():
    def worsens(turn, place):
        if turn == 10:
            place.errors[CANARY] = 0.5
        return ["pause"] if turn == 3 else None

    played = play(plan(), before=worsens)
    assert played.state.phase is Phase.ROLLED_BACK


def test_time_that_is_held_counts_against_no_deadline():
    commands = {3: ["pause"], 300: ["resume"]}
    deadlines = {"evidenceSeconds": 60, "totalSeconds": 600}
    played = play(plan(deadlines=deadlines), before=lambda turn, place: commands.get(turn))
    assert played.state.phase is Phase.PROMOTED


@pytest.mark.parametrize("turn", [0, 3, 6])
def test_abort_goes_back_from_anywhere(turn):
    played = play(plan(), before=lambda at, place: ["abort"] if at == turn else None)
    assert played.state.phase is Phase.ROLLED_BACK
    assert played.state.reason == "a person said abort"
    assert played.place.routing.models == {STABLE: "old"}


def test_promote_by_hand_needs_no_evidence_but_a_model_that_is_ready():
    played = play(plan(), Place(rate=1.0), before=lambda turn, place: ["promote"] if turn in (0, 4) else None)
    assert played.state.phase is Phase.PROMOTED
    assert played.states[1].phase is Phase.PREPARING
    assert len(played.states) < 12


def test_a_paused_plan_is_not_promoted_by_hand():
    played = play(plan(paused=True), turns=10, before=lambda turn, place: ["promote"])
    assert played.state.phase is Phase.PREPARING


def test_commands_that_are_none_are_passed_over():
    assert play(plan(), before=lambda turn, place: ["", "launch"]).state.phase is Phase.PROMOTED


def test_a_change_by_somebody_else_is_told_and_obeyed():
    def edits(turn, place):
        theirs = "weights 30/70 by kubectl" if 4 <= turn < 40 else ""
        place.routing = replace(place.routing, foreign=theirs)
        if turn == 4:
            place.routing = replace(place.routing, weights={STABLE: 30, CANARY: 70})

    played = play(plan(), before=edits)
    held = played.actions[4:40]
    assert all(isinstance(each, Wait) and "kubectl" in each.reason for each in held)
    assert played.state.phase is Phase.PROMOTED


def test_a_sick_stable_model_holds():
    def sickens(turn, place):
        sick = {STABLE: "exit status 1"} if 4 <= turn < 40 else {}
        place.routing = replace(place.routing, failing=sick)

    played = play(plan(), before=sickens)
    assert {state.weight for state in played.states[6:40]} == {10}
    assert played.state.phase is Phase.PROMOTED


def test_another_model_ends_the_rollout_of_this_one():
    seen = play(plan(), turns=6)
    other = plan(model={"uri": "newer"}, git=GIT)
    later = play(other, seen.place, state=seen.state)
    assert later.state.phase is Phase.ROLLED_BACK
    assert "newer" in later.state.reason
    assert not any(isinstance(each, Record) for each in later.place.done)


def test_without_a_deciding_requirement_a_person_decides():
    played = play(plan(requirements=[]), turns=60)
    assert played.state.phase is Phase.PROGRESSING
    assert "waits for a person" in played.actions[-1].reason
    done = play(plan(requirements=[]), played.place, state=played.state, before=lambda t, p: ["promote"])
    assert done.state.phase is Phase.PROMOTED


# ------------------------------------------------------------ Git
def test_git_has_a_promotion_before_it_is_done():
    played = play(plan(git=GIT))
    order = kinds(played.place.done)
    assert order[-2:] == ["Record", "Promote"]
    record = next(each for each in played.place.done if isinstance(each, Record))
    assert (record.outcome, record.uri) == ("promoted", "new")
    assert "errors:" in record.message


def test_a_promotion_that_cannot_be_recorded_waits():
    place = Place()
    perform = place.perform
    place.perform = lambda action: None if isinstance(action, Record) else perform(action)  # type: ignore[method-assign]
    played = play(plan(git=GIT), place, turns=60)
    assert played.state.phase is Phase.RECORDING
    assert isinstance(played.actions[-1], Record)
    assert not any(isinstance(each, Promote) for each in place.done)


def test_a_breach_while_git_is_waited_for_still_goes_back():
    place = Place()
    perform = place.perform
    down = True

    def obeys(action):
        if not (isinstance(action, Record) and down):
            perform(action)

    def worsens(turn, at):
        nonlocal down
        if turn == 40:
            at.errors[CANARY] = 0.5
        down = turn < 60

    place.perform = obeys  # type: ignore[method-assign]
    played = play(plan(git=GIT), place, before=worsens)
    assert played.state.phase is Phase.ROLLED_BACK
    assert [each.outcome for each in place.done if isinstance(each, Record)] == ["rolledBack"]


def test_a_rollback_is_recorded_once_traffic_is_safe():
    played = play(plan(git=GIT), Place(errors={STABLE: 0.01, CANARY: 0.5}))
    assert kinds(played.place.done)[-2:] == ["Drop", "Record"]
    assert played.place.recorded == "rolledBack new"


def test_a_recorded_promotion_that_breaks_is_recorded_as_rolled_back():
    place = Place()

    def fails(turn, at):
        if at.recorded:
            at.routing = replace(at.routing, failing={CANARY: "gone"}) if CANARY in at.routing.models else at.routing

    played = play(plan(git=GIT), place, before=fails)
    outcomes = [each.outcome for each in place.done if isinstance(each, Record)]
    assert outcomes in (["promoted"], ["promoted", "rolledBack"])
    assert played.state.phase is (Phase.PROMOTED if outcomes == ["promoted"] else Phase.ROLLED_BACK)


# ------------------------------------------------------------ other strategies
def test_blue_green_checks_a_mirror_switches_and_keeps_the_old_one_warm():
    strategy = {"blueGreen": {"previewSeconds": 60, "mirror": 100, "warmSeconds": 100}}
    played = play(plan(strategy=strategy))
    assert played.weights() == [0, 100, 0]
    assert {state.mirror for state in played.states if state.phase is Phase.PROGRESSING} == {100}
    warm = [state for state in played.states if state.phase is Phase.SWITCHED]
    assert warm[-1].age - warm[0].age >= 100
    assert played.state.phase is Phase.PROMOTED


def test_blue_green_switches_back_at_once():
    requirement = {"name": "absolute", "errorRate": True, "atMost": 0.05}
    strategy = {"blueGreen": {"warmSeconds": 1000}}

    def worsens(turn, place):
        if place.routing.weights.get(CANARY, 0) == 100:
            place.errors[CANARY] = 0.5

    played = play(plan(strategy=strategy, requirements=[requirement]), before=worsens)
    switched = next(at for at, state in enumerate(played.states) if state.weight == 100)
    back = next(at for at, state in enumerate(played.states) if state.phase is Phase.ROLLING_BACK)
    assert back - switched <= 4
    assert played.state.phase is Phase.ROLLED_BACK


def test_blue_green_without_answers_after_the_switch_goes_back():
    def silences(turn, place):
        place.silent = place.routing.weights.get(CANARY, 0) == 100

    spec = plan(strategy={"blueGreen": {"warmSeconds": 1000}}, deadlines={"evidenceSeconds": 60})
    assert play(spec, before=silences).state.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize(("then", "ends"), [("report", Phase.REPORTED), ("promote", Phase.PROMOTED)])
def test_a_shadow_answers_nobody_and_reports_or_goes_live(then, ends):
    played = play(plan(strategy={"shadow": {"percent": 50, "then": then}}))
    assert played.state.phase is ends
    assert set(played.weights()) == {0}
    assert {state.mirror for state in played.states if state.phase is Phase.PROGRESSING} == {50}


def test_a_last_step_of_everything_goes_on_what_was_shown_before():
    steps = [{"weight": 50}, {"weight": 100, "minSeconds": 60}]
    played = play(plan(strategy={"canary": {"steps": steps}}))
    assert played.weights() == [0, 50, 100, 0]
    assert played.state.phase is Phase.PROMOTED
    scarce = play(plan(strategy={"canary": {"steps": steps}}), Place(rate=10.0), turns=30)
    assert max(scarce.weights()) == 50


# ------------------------------------------------------------ beginnings and ends
def test_the_live_model_is_no_rollout():
    state = start(plan(), NOW, "new")
    assert state.phase is Phase.PROMOTED
    assert advance(plan(), state, Observation(Routing()), NOW)[1] == Wait("this model is live already")


def test_without_a_live_model_there_is_no_rollout():
    with pytest.raises(ValueError, match="no model is live"):
        start(plan(), NOW, "")


def test_a_rollout_that_is_over_stays_over():
    played = play(plan())
    state, action = advance(plan(), played.state, played.place.seen(NOW + 1e5, "abort"), NOW + 1e5)
    assert state == played.state
    assert isinstance(action, Wait)


def test_an_edited_plan_begins_its_evidence_anew():
    seen = play(plan(), turns=8)
    edited = plan(requirements=[{**ERRORS, "name": "other"}])
    state, _ = advance(edited, seen.state, seen.place.seen(NOW + 100), NOW + 100)
    assert [each.name for each in state.evidence] == ["other"]
    assert state.evidence[0].seen == 0
