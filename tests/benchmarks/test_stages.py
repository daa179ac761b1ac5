"""The profile: every moment counts for one stage."""

import pytest

from benchmarks import stages
from benchmarks.clock import Cost
from benchmarks.stages import REST, STAGES, StageClock
from tests.benchmarks.subjects import tiny_model, tiny_subject


class ScriptedClock:
    """Tells times from a list."""

    def __init__(self, *times: float) -> None:
        self._times = iter(times)

    def read(self) -> Cost:
        return Cost(next(self._times), 0.0)


def test_time_counts_for_the_innermost_stage():
    clock = StageClock(ScriptedClock(0, 1, 3, 7, 15, 31, 63))  # pyright: ignore[reportArgumentType]
    with clock.stage("outer"):  # 1
        with clock.stage("inner"):  # 3
            pass  # 7
        with clock.stage("inner"):  # 15
            pass  # 31
    assert clock.seconds == {REST: 1, "outer": 2 + 8 + 32, "inner": 4 + 16}


def test_time_counts_for_a_stage_that_fails():
    clock = StageClock(ScriptedClock(0, 1, 3, 7))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="no"), clock.stage("outer"):
        raise ValueError("no")
    clock.lap()
    assert clock.seconds == {REST: 1 + 4, "outer": 2}


@pytest.mark.parametrize("modality", ["frames", "vectors"])
def test_learning_spends_time_in_every_stage_it_has(tmp_path, modality):
    subject = tiny_subject(tmp_path, tiny_model(modality))
    seconds = stages.measure(subject)
    of_frames = {name for name in seconds if name.startswith("frame ")}
    assert set(seconds) == {stage.name for stage in STAGES} | {REST}
    for name, spent in seconds.items():
        assert (spent > 0) is (modality == "frames" or name not in of_frames), name


def test_observing_spends_none_on_learning(tmp_path):
    seconds = stages.measure(tiny_subject(tmp_path, tiny_model("frames"), train=False))
    for name, spent in seconds.items():
        assert (spent > 0) is not ("back" in name or "optimizer" in name), name


def test_the_model_is_as_before_afterwards(tmp_path):
    before = [getattr(stage.owner, stage.function) for stage in STAGES]
    stages.measure(tiny_subject(tmp_path, tiny_model()))
    assert [getattr(stage.owner, stage.function) for stage in STAGES] == before
