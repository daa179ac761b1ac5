"""The rendered frames before encoding."""

import hashlib

import numpy as np
import pytest

from pipelines.demo.frames import render_frames
from pipelines.demo.plan import VideoPlan, plan_video


def small_plan(seed: int, index: int = 0, size: tuple[int, int] = (160, 96)) -> VideoPlan:
    return plan_video(seed, index, seconds=6.0, size=size, fps=15)


def checksum(plan: VideoPlan) -> str:
    return hashlib.sha256(b"".join(frame.tobytes() for frame in render_frames(plan))).hexdigest()


@pytest.fixture(scope="module")
def films() -> list[tuple[VideoPlan, np.ndarray]]:
    plans = [small_plan(0, index) for index in range(6)]
    return [(plan, np.stack(list(render_frames(plan)))) for plan in plans]


def test_frames_follow_from_the_seed():
    assert checksum(small_plan(1)) == checksum(small_plan(1))
    assert checksum(small_plan(1)) != checksum(small_plan(2))
    assert checksum(small_plan(1, 0)) != checksum(small_plan(1, 1))


def test_as_many_frames_as_planned(films):
    for plan, frames in films:
        assert frames.shape == (plan.frames, 96, 160, 3)
        assert frames.dtype == np.uint8


@pytest.mark.parametrize("size", [(96, 160), (320, 180), (64, 64)])
def test_any_shape_of_frame(size):
    frame = next(render_frames(small_plan(0, size=size)))
    assert frame.shape == (size[1], size[0], 3)


def steps(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each frame to the one before, [N - 1]."""
    return np.array([np.abs(a.astype(int) - b).mean() for a, b in zip(frames[1:], frames, strict=False)])


def test_cuts_are_the_largest_steps(films):
    found = 0
    for plan, frames in films:
        change = steps(frames)
        cuts = [
            activity.start
            for scene in plan.scenes
            for activity in scene.activities
            if activity.start and activity.entry.kind == "cut"
        ]
        inside = np.concatenate(
            [
                change[motion.start : motion.stop - 1]
                for scene in plan.scenes
                for activity in scene.activities
                for motion in activity.motions
                if activity.entry.half == 0
            ]
        )
        for cut in cuts:
            assert change[cut - 1] > 2 * np.median(inside)
            found += 1
    assert found >= 6


def test_soft_transitions_change_sides_at_the_boundary(films):
    """The frame before is more like what came earlier, the frame after more like what comes later."""
    found = 0
    for plan, frames in films:
        for scene in plan.scenes:
            for activity in scene.activities:
                half, start = activity.entry.half, activity.start
                if activity.entry.kind != "fade" or half < 2:
                    continue
                early, late = frames[start - half - 1].astype(int), frames[start + half].astype(int)
                before, after = frames[start - 1], frames[start]
                assert np.abs(before - early).mean() < np.abs(before - late).mean()
                assert np.abs(after - late).mean() < np.abs(after - early).mean()
                found += 1
    assert found >= 1


def test_pictures_have_detail_and_move_all_the_time(films):
    for _, frames in films:
        grey = frames.mean(axis=3)
        assert grey.std(axis=(1, 2)).min() > 12
        assert steps(frames).min() > 1.0
