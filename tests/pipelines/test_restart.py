"""A run that is stopped at any barrier and goes on is the run that was never stopped."""

from pathlib import Path

import pytest
import torch

from pipelines.checkpoints import latest, remove_all
from pipelines.position import WorkerPosition
from pipelines.restart import go_on
from pipelines.snippets import VideoEnd
from streamer import checkpoint
from streamer.config import LearningConfig
from streamer.errors import CheckpointError
from streamer.streamer import Streamer
from tests.pipelines.stoppable import ALL_SNIPPETS, BY_NAME, ENTRIES, VIDEOS, Run, content
from tests.pipelines.tiny import SEED, tiny_config

ADAPTIVE = tiny_config(
    residual=True,
    center=True,
    learning=LearningConfig(
        lr=1e-2, optimize_every=3, step_level="lowest", keep_predictions=True, replay=20, replay_batch=4
    ),
)


def assert_equal(one: Run, model: Streamer, other: Run, expected: Streamer) -> None:
    """To the bit."""
    assert one.results() == other.results()
    for tensor, same in zip(content(model), content(expected), strict=True):
        assert torch.equal(tensor, same)
    last, expected_last = one.reports[-1], other.reports[-1]
    assert (last.snippets, last.events, last.steps) == (
        expected_last.snippets,
        expected_last.events,
        expected_last.steps,
    )


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("average", [False, True], ids=["gradients", "parameters"])
def test_stopped_anywhere_it_goes_on_to_the_bit(tmp_path, lanes, average):
    undisturbed = Run(tmp_path / "undisturbed", average=average)
    expected = undisturbed.start(lanes)
    assert expected.learner is not None
    assert expected.learner.steps > 2
    for stop_after in (1, 2, 9, 30, 45):
        run = Run(tmp_path / str(stop_after), average=average)
        run.start(lanes, stop_after=stop_after)
        model = run.start(lanes)
        assert_equal(run, model, undisturbed, expected)
        assert sorted(run.watched) == sorted(undisturbed.watched), "every snippet once"


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("average", [False, True], ids=["gradients", "parameters"])
def test_with_past_losses_it_goes_on_to_the_bit(tmp_path, lanes, average):
    undisturbed = Run(tmp_path / "undisturbed", average=average, config=ADAPTIVE)
    expected = undisturbed.start(lanes)
    for stop_after in (9, 30):
        run = Run(tmp_path / str(stop_after), average=average, config=ADAPTIVE)
        run.start(lanes, stop_after=stop_after)
        assert_equal(run, run.start(lanes), undisturbed, expected)


@pytest.mark.parametrize(("before", "after"), [(3, 1), (2, 5)])
def test_past_losses_are_dealt_to_other_lanes(tmp_path, before, after):
    run = Run(tmp_path, precision="float64", config=ADAPTIVE)
    first = run.start(before, stop_after=14)
    model = run.start(after, stop_after=1)
    assert first.rehearsal is not None
    assert model.rehearsal is not None
    kept, dealt = (sum(map(len, one.rehearsal.reservoirs)) for one in (first, model) if one.rehearsal)
    assert dealt >= min(kept, 20 * after)
    run.start(after)
    assert sorted(run.watched) == ALL_SNIPPETS


def test_stopped_again_and_again(tmp_path):
    undisturbed, run = Run(tmp_path / "undisturbed"), Run(tmp_path / "run")
    expected = undisturbed.start(2, sync_every=3)
    for _ in range(7):
        run.start(2, stop_after=3, sync_every=3)
    assert_equal(run, run.start(2, sync_every=3), undisturbed, expected)


def test_frequent_checkpoints_change_nothing(tmp_path):
    undisturbed, often = Run(tmp_path / "undisturbed"), Run(tmp_path / "often")
    expected = undisturbed.start(2)
    assert_equal(often, often.start(2, every_s=0), undisturbed, expected)
    assert len([path for path in often.folder.checkpoints.iterdir() if path.name.isdigit()]) == 2


def test_killed_between_two_checkpoints_it_repeats_what_came_after_the_last(tmp_path):
    """The process that is killed leaves what it wrote; here the second half of its work is lost."""
    undisturbed, run = Run(tmp_path / "undisturbed"), Run(tmp_path / "run")
    expected = undisturbed.start(2)
    run.start(2, stop_after=20)
    kept = {path: path.read_bytes() for path in run.folder.checkpoints.rglob("*") if path.is_file()}
    run.start(2, stop_after=25)
    remove_all(run.folder.checkpoints)
    for path, data in kept.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert_equal(run, run.start(2), undisturbed, expected)


@pytest.mark.parametrize(("before", "after"), [(3, 1), (1, 3), (2, 5), (4, 2)])
@pytest.mark.parametrize("average", [False, True], ids=["gradients", "parameters"])
def test_the_number_of_lanes_may_change(tmp_path, before, after, average):
    run = Run(tmp_path, average=average, precision="float64")
    first = run.start(before, stop_after=14)
    assert first.learner is not None
    model = run.start(after)
    assert model.learner is not None
    assert model.learner.steps > first.learner.steps
    assert sorted(run.watched) == ALL_SNIPPETS
    events, _ = run.results()
    assert sorted(events) == ["a", "b", "c", "d", "e"]
    assert run.reports[-1].snippets == sum(video.snippets for video in VIDEOS)
    ended = [end.video_id for report in run.reports for end in report.ended]
    assert set(ended) == set(BY_NAME)


def test_lanes_that_change_twice_with_videos_that_wait(tmp_path):
    """Four videos in the middle go on in one lane; three wait when it is stopped again."""
    run = Run(tmp_path, precision="float64")
    run.start(4, stop_after=6)
    run.start(1, stop_after=4)
    saved = latest(run.folder.checkpoints)
    assert saved is not None
    assert [len(lane) for lane in saved.position(0).running] == [4]
    run.start(2)
    assert sorted(run.watched) == ALL_SNIPPETS


def test_videos_that_waited_while_parameters_changed_begin_their_predictions_afresh(tmp_path):
    """Four videos in the middle, one lane: what was predicted for three of them holds no more."""
    run = Run(tmp_path)
    run.start(4, stop_after=6)
    saved = latest(run.folder.checkpoints)
    assert saved is not None
    lanes = checkpoint.load_content(saved.model_path(0))["running"]["lanes"]
    stopped = {
        video.video_id: lane["index"]
        for lane, [video] in zip(lanes, saved.position(0).running, strict=True)
        if lane["index"] < BY_NAME[video.video_id].snippets
    }
    run.start(1)
    _, signals = run.results()
    afresh = {
        name
        for name, index in stopped.items()
        if not any((level, snippet) == (0, index) for _, level, snippet, *_ in signals[name])
    }
    assert len(stopped) == 4
    assert len(afresh) == 3


def test_a_finished_run_has_nothing_left(tmp_path):
    run = Run(tmp_path)
    model = run.start(2)
    seen = len(run.watched)
    again = run.start(2)
    assert len(run.watched) == seen
    for tensor, same in zip(content(again), content(model), strict=True):
        assert torch.equal(tensor, same)


def resume(checkpoints: Path) -> None:
    found = latest(checkpoints)
    assert found is not None
    model = Streamer(tiny_config(), lanes=2, seed=SEED)
    go_on(found, model, ENTRIES, workers=1, rank=0, shared=True)


@pytest.mark.parametrize("name", ["streamer.pt", "position-0000.pt", "assignment.json"])
@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"damaged")])
def test_damaged_checkpoints_are_refused_by_name(tmp_path, name, change):
    run = Run(tmp_path)
    run.start(2, stop_after=5)
    saved = latest(run.folder.checkpoints)
    assert saved is not None
    change(saved.folder / name)
    with pytest.raises(CheckpointError, match=name) as caught:
        resume(run.folder.checkpoints)
    assert "\n" not in str(caught.value)


def test_what_a_killed_process_left_unfinished_is_no_checkpoint(tmp_path):
    run = Run(tmp_path)
    run.start(2, stop_after=5)
    saved = latest(run.folder.checkpoints)
    assert saved is not None
    (run.folder.checkpoints / ".0123abcd-000009").mkdir()
    (run.folder.checkpoints / ".0123abcd-000009" / "streamer.pt").write_bytes(b"half")
    assert latest(run.folder.checkpoints) == saved
    run.start(2)
    assert [path for path in run.folder.checkpoints.iterdir() if path.name.startswith(".0")] == []


def test_positions_survive_being_written():
    position = WorkerPosition([[]], [VideoEnd("a", 3, 1.5, "failed", "broken")], 3, [1, 2], 4)
    assert WorkerPosition.from_state(position.to_state()) == position
