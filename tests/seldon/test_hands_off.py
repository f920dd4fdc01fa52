"""What belongs to others stays theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.seldon.place import NEW, Place, predictor
from tidegate.rollout.actions import Drop
from tidegate.seldon.seen import OWNED


def test_nothing_is_dropped_where_no_rollout_was() -> None:
    async def scene(place: Place) -> None:
        await place.pass_by(30)
        before = place.spec
        await place.router.perform(Drop())
        assert place.spec == before
        assert not place.router.changed
        assert not place.router.waiting

    place = Place(predictor(traffic=60), predictor(name="second", traffic=40))
    asyncio.run(scene(place))


@pytest.mark.parametrize("drop", [Drop(), Drop(emergency=True)])
def test_a_predictor_that_somebody_added_keeps_its_share_when_the_canary_goes(drop: Drop) -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        added: dict[str, Any] = predictor(name="theirs", traffic=30)
        await place.api.patch(
            place.path,
            "json",
            [
                {"op": "replace", "path": "/spec/predictors/0/traffic", "value": 50},
                {"op": "add", "path": "/spec/predictors/2", "value": added},
            ],
        )
        await place.pass_by(30)
        assert "theirs is not the rollout's" in (await place.routing()).foreign
        for _ in range(5):
            await place.router.perform(drop)
            await place.pass_by(1)
        assert [(p["name"], p["traffic"]) for p in place.spec] == [("default", 70), ("theirs", 30)]
        assert OWNED not in place.api.objects[place.path]["metadata"]["annotations"]

    asyncio.run(scene(Place()))


def test_a_note_that_cannot_be_read_is_nobodys() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        place.api.objects[place.path]["metadata"]["annotations"][OWNED] = "{"
        assert "another rollout (unreadable)" in (await place.routing()).foreign

    asyncio.run(scene(Place()))


def test_an_edit_is_accepted_once_the_note_is_removed() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        edit = [("0", 70), ("1", 30)]
        operations = [{"op": "replace", "path": f"/spec/predictors/{i}/traffic", "value": value} for i, value in edit]
        await place.api.patch(place.path, "json", operations)
        assert (await place.routing()).foreign
        del place.api.objects[place.path]["metadata"]["annotations"][OWNED]
        await place.pass_by(2)
        routing = await place.routing()
        assert (routing.foreign, routing.weights, routing.models["canary"]) == ("", {"stable": 70, "canary": 30}, NEW)

    asyncio.run(scene(Place()))
