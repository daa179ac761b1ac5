"""The planned events: nesting, lengths and variety."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.demo.motion import MOTIONS, Movement
from pipelines.demo.plan import ACTIVITY_S, MOTION_S, SCENE_S, VideoPlan, plan_video
from pipelines.demo.sprites import SHAPES
from pipelines.demo.textures import MATERIALS
from pipelines.demo.vocabulary import OBJECTS, scene_kinds


def tiles(parts, start, stop) -> bool:
    edges = [start, *(part.stop for part in parts)]
    starts = [part.start for part in parts]
    return starts == edges[:-1] and edges[-1] == stop and all(a < b for a, b in pairwise(edges))


def plan(seed=0, index=0, seconds=60.0, fps=15) -> VideoPlan:
    return plan_video(seed, index, seconds=seconds, size=(320, 180), fps=fps)


@given(st.integers(0, 2**32), st.integers(0, 50), st.floats(3, 400), st.integers(14, 60))
@settings(max_examples=60, deadline=None)
def test_levels_tile_the_video_and_nest(seed, index, seconds, fps):
    video = plan(seed, index, seconds, fps)

    assert 0.89 * seconds * fps <= video.frames <= 1.11 * seconds * fps
    assert tiles(video.scenes, 0, video.frames)
    assert len(video.scenes) >= 2
    for scene in video.scenes:
        assert tiles(scene.activities, scene.start, scene.stop)
        assert len(scene.activities) >= 2
        for activity in scene.activities:
            assert tiles(activity.motions, activity.start, activity.stop)
            assert len(activity.motions) >= 2


@given(st.integers(0, 1000), st.floats(60, 600))
@settings(max_examples=40, deadline=None)
def test_events_last_as_long_as_their_level_says(seed, seconds):
    video = plan(seed, 0, seconds)
    activities = [activity for scene in video.scenes for activity in scene.activities]
    motions = [motion for activity in activities for motion in activity.motions]
    for parts, (shortest, longest) in (
        (video.scenes, SCENE_S),
        (activities, ACTIVITY_S),
        (motions, MOTION_S),
    ):
        for part in parts:
            assert shortest - 0.1 <= (part.stop - part.start) / video.fps <= longest + 0.1


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_neighbours_differ_and_transitions_fit(seed):
    video = plan(seed)
    assert all(a.kind != b.kind for a, b in pairwise(video.scenes))
    for scene in video.scenes:
        assert all(a.kind != b.kind for a, b in pairwise(scene.activities))
        for activity in scene.activities:
            assert all((a.kind, a.tool) != (b.kind, b.tool) for a, b in pairwise(activity.motions))
            assert 2 * activity.entry.half < activity.stop - activity.start
    assert video.scenes[0].activities[0].entry.half == 0


def test_seed_and_index_decide():
    assert plan(3, 1) == plan(3, 1)
    assert list(plan(3, 1).truth()) != list(plan(4, 1).truth())
    assert list(plan(3, 1).truth()) != list(plan(3, 2).truth())


def test_few_boundaries_lie_on_a_half_second():
    ends = [end for index in range(20) for _, _, end, _ in plan(0, index).truth()]
    assert sum(end * 2 % 1 == 0 for end in ends) < 0.2 * len(ends)


def test_activities_and_motions_recur_across_videos():
    videos = [{label for _, _, _, label in plan(0, index).truth()} for index in range(6)]
    for labels in videos:
        others = set().union(*(other for other in videos if other is not labels))
        assert len(labels & others) > 0.6 * len(labels)


def test_vocabulary_names_only_what_can_be_drawn():
    for kind in OBJECTS.values():
        assert kind.shape in SHAPES
        assert kind.material in MATERIALS
    for scene in scene_kinds():
        assert {scene.wall[0], scene.surface[0]} <= set(MATERIALS)
        assert len(scene.activities) >= 2
        for activity in scene.activities:
            assert activity.cover.material in MATERIALS
            assert len(set(activity.motions)) >= 2
            assert all(motion in MOTIONS and tool in OBJECTS for motion, tool in activity.motions)


@pytest.mark.parametrize("kind", MOTIONS)
def test_motion_starts_and_ends_at_rest_with_the_hand_out_of_sight(kind):
    move = Movement(kind, 3.0, amplitude=1.0, rate_hz=1.0, heading=0.3)
    start, end = move.pose(0.0), move.pose(3.0)

    assert (start.x, start.y, start.angle, start.lift) == pytest.approx((0, 0, 0, 0), abs=1e-9)
    assert end.lift == pytest.approx(0, abs=1e-9)
    assert move.pose(9.0) == end
    assert move.hand(0.0) == move.hand(3.0) == move.hand(-1.0) == 0.0
    assert move.hand(move.approach_s) == pytest.approx(1.0)
