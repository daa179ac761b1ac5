"""One measurement: what is in the stretch that is measured, and what is told of it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import window
from benchmarks.subject import EngineRun, PlainRun
from streamer.streamer import Streamer
from tests.benchmarks.subjects import tiny_model, tiny_subject


@pytest.mark.parametrize("modality", ["vectors", "frames"])
@pytest.mark.parametrize(("lanes", "snippets"), [(0, 20), (1, 20), (2, 40)])
def test_a_stretch_that_brings_no_step_ends_with_one(tmp_path, modality, lanes, snippets):
    subject = tiny_subject(tmp_path, tiny_model(modality), lanes=lanes)
    measured = window.measure(subject, first=False)
    assert (measured.snippets, measured.steps) == (snippets, 1)
    assert 0 < measured.optimizer.wall_s < measured.whole.wall_s


def test_where_steps_fall_due_none_is_added_and_no_loss_is_left(tmp_path, monkeypatch):
    subject = tiny_subject(tmp_path, tiny_model(optimize_every=1))
    monkeypatch.setattr(EngineRun, "take_step", None)
    run = EngineRun(subject)
    run.stretch(60)
    assert run.model.learner is not None
    assert run.model.learner.steps > 1
    assert not run.model.learner.waiting
    assert window.measure(replace(subject, base_steps=60), first=True).steps > 1


@pytest.mark.parametrize("lanes", [0, 2])
def test_without_learning_there_is_no_step(tmp_path, lanes):
    measured = window.measure(tiny_subject(tmp_path, tiny_model(), lanes=lanes, train=False), first=True)
    assert measured.steps == 0
    assert measured.optimizer.wall_s == 0
    assert measured.peak_before_mb is None


def test_memory_before_the_first_step_is_known_only_where_nothing_came_before(tmp_path):
    subject = tiny_subject(tmp_path, tiny_model())
    first, later = (window.measure(subject, first=first) for first in (True, False))
    assert first.peak_before_mb is not None
    assert 0 < first.peak_before_mb <= first.peak_mb
    assert later.peak_before_mb is None


def test_a_stretch_leaves_no_loss_waiting_and_no_snippet_encoded(tmp_path):
    run = EngineRun(tiny_subject(tmp_path, tiny_model("frames")))
    run.warm_up()
    assert run.model.learner is not None
    assert not run.model.learner.waiting
    assert [lane.waiting for lane in run.model.lanes] == [0, 0]
    run.stretch(16)
    assert not run.model.learner.waiting
    assert [lane.waiting for lane in run.model.lanes] == [0, 0]


@pytest.mark.parametrize("train", [True, False])
def test_lengths_are_those_of_the_way_forward_alone(tmp_path, train):
    config = tiny_model("frames")
    measured = window.measure(tiny_subject(tmp_path, config, train=train), first=False)
    passed = {part: sum(lengths.values()) for part, lengths in measured.lengths.items()}
    assert passed["f", 0] == passed["p", 0] == measured.snippets
    assert passed["f", 1] == passed["p", 1]
    assert measured.snippets > passed["f", 1] > passed["f", 2] > 0
    assert max(measured.lengths["f", 0]) <= config.working_set_size
    assert set(measured.lengths["p", 2]) == {3}


def test_lanes_watch_the_stream_from_different_places_on_and_round(tmp_path, monkeypatch):
    config = tiny_model()
    subject = tiny_subject(tmp_path, config)
    offered = {0: [], 1: []}
    offer = Streamer.offer

    def noting(self, snippets, lane=0):
        offered[lane] += list(snippets)
        offer(self, snippets, lane)

    monkeypatch.setattr(Streamer, "offer", noting)
    EngineRun(subject).stretch(32)
    stream = np.load(subject.stream)
    np.testing.assert_array_equal(offered[0], stream[:32])
    np.testing.assert_array_equal(offered[1], [*stream[20:], *stream[:12]])


def test_the_plain_model_sees_what_the_first_lane_sees(tmp_path):
    subject = tiny_subject(tmp_path, tiny_model(), train=False)
    plain, engine = PlainRun(subject), EngineRun(subject)
    plain.stretch(32)
    engine.stretch(32)
    [events] = [engine.model.end_video(lane=0).levels]
    expected = plain.model.end_video().levels
    assert [[e.end_s for e in level] for level in events] == [[e.end_s for e in level] for level in expected]
