"""Floors of one video, and what predictors are called."""

import pytest

from pipelines.evaluation.predictors import FLOORS, RANDOM_DRAWS, floor_hierarchies, in_order


def floors(video_id="v", seed=0, counts=(4, 2)):
    return floor_hierarchies(video_id, counts, duration=40.0, seed=seed)


def test_uniform_has_a_level_for_every_count():
    [levels] = floors(counts=[4, 2, 0])["uniform"]
    assert [len(level) for level in levels] == [4, 2, 1]


def test_random_floor_is_several_draws():
    draws = floors()["random_nested"]
    assert len(draws) == RANDOM_DRAWS
    assert len({str(draw) for draw in draws}) == RANDOM_DRAWS


def test_random_floor_depends_on_seed_and_video_alone():
    assert floors() == floors()
    assert floors(counts=(9,))["random_nested"] == floors()["random_nested"]
    assert floors(seed=1)["random_nested"] != floors()["random_nested"]
    assert floors("w")["random_nested"] != floors()["random_nested"]


def test_every_floor_stands_in_the_order_of_tables():
    assert set(floors()) == set(FLOORS)
    assert in_order("streamer") == ("streamer", *FLOORS)


@pytest.mark.parametrize("own", FLOORS)
def test_a_run_that_is_a_floor_takes_its_place(own):
    assert in_order(own)[0] == own
    assert sorted(in_order(own)) == sorted(FLOORS)
