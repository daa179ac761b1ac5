"""The floor: each network once, in batches, and nothing else."""

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks import floor, window
from benchmarks.clock import Clock, Cost
from benchmarks.floor import ANY_LANES, DECODER, ENCODER, Workload
from streamer.learner import Learner
from streamer.modules import HierarchicalPrediction, TemporalEncoding
from tests.benchmarks.subjects import tiny_model, tiny_subject

ONE = {2: 3, 1: 5}
LENGTHS = {("f", 0): ONE, ("p", 0): {1: 8}, ("f", 1): {4: 2}, ("p", 1): {2: 2}, ("f", 2): {}, ("p", 2): {}}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("modality", ["frames", "vectors"])
def test_every_network_is_measured(tmp_path, modality, train):
    subject = tiny_subject(tmp_path, tiny_model(modality), train=train)
    batches = {key: [4] for key in floor.keys(subject.config, [1, 2])}
    results = floor.measure(subject, {1: Workload(8, LENGTHS), 2: Workload(8, LENGTHS)}, batches)
    levels = {(lanes, (name, level)) for lanes in (1, 2) for name in "fp" for level in range(3)}
    frames = {(ANY_LANES, ENCODER), (ANY_LANES, DECODER)} if modality == "frames" else set()
    assert set(results) == levels | frames
    assert all(best.batch == 4 for best in results.values())
    assert results[1, ("f", 0)].cost.wall_s > results[1, ("f", 2)].cost.wall_s  # nothing passed that one


def test_exactly_the_workload_passes_in_batches_of_similar_lengths(tmp_path, monkeypatch):
    passed: dict[type, list[list[int]]] = {TemporalEncoding: [], HierarchicalPrediction: []}
    for kind, calls in passed.items():
        forward = kind.forward

        def noting(self, x, lengths, forward=forward, calls=calls):
            assert x.shape[1] == max(lengths)
            calls.append(list(lengths))
            return forward(self, x, lengths)

        monkeypatch.setattr(kind, "forward", noting)
    subject = tiny_subject(tmp_path, tiny_model())
    batches = {key: [3] for key in floor.keys(subject.config, [1])}
    floor.measure(subject, {1: Workload(8, LENGTHS)}, batches)
    # Before each measurement a part of the first batch passes.
    assert passed[TemporalEncoding] == [[1, 1], [1, 1, 1], [1, 1, 2], [2, 2], [4, 4], [4, 4]]
    assert Counter(map(len, passed[HierarchicalPrediction])) == {2: 2 + 2, 3: 2}


def test_weights_gradients_are_part_of_it_while_learning(tmp_path, monkeypatch):
    sums = []

    class Kept(Learner):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            sums.extend((*self.f_sums, *self.p_sums))

    monkeypatch.setattr(floor, "Learner", Kept)
    # With wider layers than elsewhere, so that none falls silent.
    subject = tiny_subject(tmp_path, replace(tiny_model("frames"), channels=(8, 8, 8, 8)))
    workload = Workload(4, {**{part: {2: 4} for part in LENGTHS}, ("p", 2): {3: 4}})
    floor.measure(subject, {1: workload}, {})
    assert len(sums) == 6
    assert all(parameter.grad.any() for gradients in sums for parameter in gradients.parameters)


def test_the_best_of_the_batches_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(floor, "BATCHES", (16, 32, 64))
    walls = {16: 3.0, 32: 1.0, 64: 2.0}
    monkeypatch.setattr(floor.Bench, "sequences", lambda self, part, batch, workload: Cost(walls[batch], 9.0))
    subject = tiny_subject(tmp_path, tiny_model())
    results = floor.measure(subject, {1: Workload(8, LENGTHS)}, {(1, ("f", 1)): [64]})
    assert results[1, ("f", 0)] == (32, Cost(1.0, 9.0))
    assert results[1, ("f", 1)] == (64, Cost(2.0, 9.0))


def test_a_measured_window_is_a_workload(tmp_path):
    subject = tiny_subject(tmp_path, tiny_model(), train=False)
    measured = window.measure(subject, first=True)
    results = floor.measure(subject, {2: Workload(measured.snippets, measured.lengths)}, {})
    assert all(best.cost.wall_s > 0 for best in results.values())


def test_time_is_read_when_the_device_is_done():
    start = Clock("cpu").read()
    total = sum(range(10_000))
    assert total
    assert Clock("cpu").since(start).wall_s > 0
