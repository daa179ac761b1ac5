"""One worker's loop on a real model: it is the model's own `observe`, with reports and files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.replicas import checksum
from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from pipelines.synchronization import AveragedParameters, SummedGradients
from pipelines.training import REPORT_SECONDS, TrainingLoop
from pipelines.worker_report import WorkerReport
from streamer.config import Precision
from streamer.hierarchy import Hierarchy
from streamer.replicas import SingleReplica
from streamer.streamer import Streamer
from tests.pipelines.lockstep import summed_gradients
from tests.pipelines.tiny import SEED, Video, stream, tiny_config, tiny_store
from tests.plain.streamer import PlainStreamer

VIDEOS = [Video("a", 23), Video("b", 7), Video("c", 31)]
BROKEN = Video("broken", 11, breaks=True)
EMPTY = Video("empty", 0)


def train(videos, out: Path, **settings):
    """Runs a loop of one lane over the videos; see `train_lanes`."""
    return train_lanes([videos], out, **settings)


def train_lanes(
    lanes: Sequence[Sequence[Video]],
    out: Path,
    *,
    sync_every=1,
    average=False,
    clock: Callable[[], float] = lambda: 0.0,
    precision: Precision = "float32",
    **changes: Any,
):
    """Runs a loop over the videos of each lane.

    Returns:
        The model and all reports; the last is the one that `run` returned.
    """
    model = Streamer(tiny_config(**changes), lanes=len(lanes), seed=SEED, precision=precision)
    reports: list[WorkerReport] = []
    synchronization = AveragedParameters(model, SingleReplica()) if average else SummedGradients(model)
    loop = TrainingLoop(
        model,
        synchronization,
        [stream(videos) for videos in lanes],
        tiny_store(RunFolder(out)),
        sync_every=sync_every,
        report=reports.append,
        clock=clock,
    )
    assert loop.run() is reports[-1]
    return model, reports


def observed(videos) -> tuple[Streamer, list[Hierarchy], list[list[tuple[int, int, float, bool]]]]:
    """What the model gives by itself: the hierarchies and signals of the videos that do not break."""
    model = Streamer(tiny_config(), seed=SEED)
    hierarchies, signals = [], []
    for video in videos:
        seen = [signal for vector in video.vectors for signal in model.observe(vector)]
        if video.end.status == "failed":
            model.start_video()
            continue
        hierarchies.append(model.end_video(video.end.duration_s, video.name))
        signals.append(sorted((s.level, s.index, s.value, s.boundary) for s in seen))
    return model, hierarchies, signals


def stored_signals(folder: RunFolder, video_id: str) -> list[tuple[int, int, float, bool]]:
    table = read_signals(folder, video_id)
    assert table is not None
    return [(r["level"], r["snippet"], r["signal"], r["boundary"]) for r in table.to_pylist()]


def facts(hierarchy: Hierarchy) -> list[dict]:
    """Rows of the events table; unknown representations are null in memory and in files read back."""
    return hierarchy.to_arrow().to_pylist()


def segments(hierarchy: Hierarchy) -> list[list[tuple[float, float]]]:
    return [hierarchy.segments(level) for level in range(hierarchy.num_levels)]


def assert_same_parameters(model: Streamer, expected: PlainStreamer) -> None:
    for parameter, other in zip(model.levels.parameters(), expected.levels.parameters(), strict=True):
        torch.testing.assert_close(parameter, other, atol=1e-8, rtol=0)


@pytest.mark.parametrize("videos", [VIDEOS, [VIDEOS[0], BROKEN, EMPTY, VIDEOS[2]]], ids=["whole", "broken"])
def test_a_barrier_at_every_snippet_is_the_model_itself(tmp_path, videos):
    model, _ = train(videos, tmp_path)
    expected, hierarchies, signals = observed(videos)
    assert len(model.levels) == 3
    assert checksum(model.levels) == checksum(expected.levels)
    folder = RunFolder(tmp_path)
    assert len(list(folder.hierarchy.iterdir())) == len(hierarchies)
    for hierarchy, values in zip(hierarchies, signals, strict=True):
        stored = Hierarchy.from_parquet(folder.hierarchy_of(hierarchy.video_id))
        assert facts(stored) == facts(hierarchy)
        assert stored_signals(folder, hierarchy.video_id) == values


@pytest.mark.parametrize("sync_every", [2, 5, 1000])
def test_rare_barriers_are_groups_of_snippets(tmp_path, sync_every):
    """Steps, growth and the end of videos may fall anywhere in a group."""
    model, _ = train(VIDEOS, tmp_path, sync_every=sync_every, precision="float64")
    expected = PlainStreamer(tiny_config(), seed=SEED, dtype=torch.float64)
    in_group = 0
    hierarchies = []
    for video in VIDEOS:
        for vector in video.vectors:
            due = expected.advance(vector).due
            in_group += 1
            if in_group < sync_every:
                expected.learn(due)
            else:
                expected.barrier(due)
                in_group = 0
        hierarchies.append(expected.end_video(video.end.duration_s, video.name))
    expected.barrier([])
    assert_same_parameters(model, expected)
    for hierarchy in hierarchies:
        stored = Hierarchy.from_parquet(RunFolder(tmp_path).hierarchy_of(hierarchy.video_id))
        assert segments(stored) == segments(hierarchy)


def test_a_worker_that_learns_alone_learns_before_its_video_ends(tmp_path):
    """The last snippet may bring a step, after which no representation of the last event is known."""
    lone = Video("lone", 4)  # the third loss comes with the fourth snippet
    train([lone], tmp_path, sync_every=100, average=True)
    _, [hierarchy], _ = observed([lone])
    assert hierarchy.levels[0][-1].representation is None
    stored = Hierarchy.from_parquet(RunFolder(tmp_path).hierarchy_of("lone"))
    assert facts(stored) == facts(hierarchy)


def test_totals_of_the_last_report(tmp_path):
    model, reports = train([VIDEOS[0], BROKEN, VIDEOS[1]], tmp_path)
    last = reports[-1]
    assert last.snippets == 23 + 11 + 7
    assert last.ended == [VIDEOS[0].end, BROKEN.end, VIDEOS[1].end]
    assert last.num_levels == len(model.levels)
    assert model.learner is not None
    assert last.steps == model.learner.steps > 0
    folder = RunFolder(tmp_path)
    stored = [Hierarchy.from_parquet(path) for path in folder.hierarchy.iterdir()]
    whole = [sum(len(h.levels[level]) for h in stored if level < h.num_levels) for level in range(3)]
    # The broken video has no hierarchy, yet the boundaries found in it count.
    assert all(total >= number for total, number in zip(last.events, whole, strict=True))
    assert last.events[0] > whole[0]


def test_events_of_whole_videos_are_those_stored(tmp_path):
    _, reports = train(VIDEOS, tmp_path)
    stored = [Hierarchy.from_parquet(path) for path in RunFolder(tmp_path).hierarchy.iterdir()]
    assert reports[-1].events == [
        sum(len(h.levels[level]) for h in stored if level < h.num_levels) for level in range(3)
    ]


def test_merged_levels_are_counted_as_they_are_stored(tmp_path):
    merged = {"upper_levels": "merged", "evolve_every": 100_000, "residual": True}
    model, reports = train(VIDEOS, tmp_path, **merged)
    stored = [Hierarchy.from_parquet(path) for path in RunFolder(tmp_path).hierarchy.iterdir()]
    assert len(model.levels) == 1
    assert reports[-1].num_levels == max(h.num_levels for h in stored) == 3
    assert reports[-1].events == [
        sum(len(h.levels[level]) for h in stored if level < h.num_levels) for level in range(3)
    ]
    assert (reports[-1].spreads, reports[-1].gates) == (model.spreads, model.gates)
    assert len(model.gates) == 1


def test_reports_come_by_the_clock_and_tell_what_is_new(tmp_path):
    times = iter(range(10_000))
    _, reports = train(VIDEOS, tmp_path, clock=lambda: float(next(times)))
    assert len(reports) > 61 / (REPORT_SECONDS + 2)
    assert [end for report in reports for end in report.ended] == [video.end for video in VIDEOS]
    totals = [report.snippets for report in reports]
    assert totals == sorted(totals)
    assert totals[-1] == 61
    stored = [stored_signals(RunFolder(tmp_path), video.name) for video in VIDEOS]
    for level in range(3):
        values = [row[2] for rows in stored for row in rows if row[0] == level]
        assert sum(report.signal_counts[level] for report in reports) == len(values)
        assert sum(report.signal_sums[level] for report in reports) == pytest.approx(sum(values))


def test_no_report_before_its_time_but_one_at_the_end(tmp_path):
    _, reports = train(VIDEOS, tmp_path)
    assert len(reports) == 1


@pytest.mark.parametrize("videos", [[], [EMPTY], [EMPTY, EMPTY]])
def test_a_stream_without_snippets_ends(tmp_path, videos):
    model, reports = train(videos, tmp_path)
    assert checksum(model.levels) == checksum(Streamer(tiny_config(), seed=SEED).levels)
    assert (reports[-1].snippets, len(reports[-1].ended)) == (0, len(videos))
    assert not RunFolder(tmp_path).hierarchy.exists()


LANES = [[VIDEOS[0], BROKEN, VIDEOS[1]], [], [EMPTY, VIDEOS[2]]]


def test_lanes_are_models_that_learn_together(tmp_path):
    """Videos begin, break and end in a lane while others go on; signals go with their videos."""
    model, _ = train_lanes(LANES, tmp_path / "lanes", precision="float64")
    [expected, *_] = summed_gradients(LANES, tmp_path / "expected")
    assert len(model.levels) == 3
    assert_same_parameters(model, expected.model)
    folder, reference = RunFolder(tmp_path / "lanes"), RunFolder(tmp_path / "expected")
    for video in VIDEOS:
        stored, other = (Hierarchy.from_parquet(run.hierarchy_of(video.name)) for run in (folder, reference))
        assert segments(stored) == segments(other)
        signals, others = (stored_signals(run, video.name) for run in (folder, reference))
        assert [(s[0], s[1], s[3]) for s in signals] == [(s[0], s[1], s[3]) for s in others]
        assert [s[2] for s in signals] == pytest.approx([s[2] for s in others], abs=1e-6)


def test_totals_are_those_of_all_lanes(tmp_path):
    model, reports = train_lanes(LANES, tmp_path)
    last = reports[-1]
    assert last.snippets == sum(video.snippets for videos in LANES for video in videos)
    # In the order in which they end: after so many base steps, and the lower lane first.
    assert [end.video_id for end in last.ended] == ["empty", "a", "c", "broken", "b"]
    folder = RunFolder(tmp_path)
    values = [row[2] for video in VIDEOS for row in stored_signals(folder, video.name) if row[0] == 0]
    assert last.signal_counts[0] > len(values), "the broken video's signals count too"
    whole = [Hierarchy.from_parquet(path) for path in folder.hierarchy.iterdir()]
    assert last.events[0] > sum(len(hierarchy.levels[0]) for hierarchy in whole)
    assert last.num_levels == len(model.levels)


@pytest.mark.parametrize("sync_every", [3, 1000])
def test_a_period_goes_on_until_all_lanes_have_ended(tmp_path, sync_every):
    """Base steps, not snippets, are counted from one barrier to the next."""
    barriers = []

    class Counted(SummedGradients):
        def barrier(self, observed: int, flags: Sequence[float]) -> list[float]:
            barriers.append(observed)
            return super().barrier(observed, flags)

    model = Streamer(tiny_config(), lanes=2, seed=SEED)
    lanes = [[Video("short", 4)], [Video("long", 10)]]
    loop = TrainingLoop(
        model,
        Counted(model),
        [stream(videos) for videos in lanes],
        tiny_store(RunFolder(tmp_path)),
        sync_every=sync_every,
        report=lambda report: None,
    )
    loop.run()
    assert barriers == ([6, 4, 3, 1, 0] if sync_every == 3 else [14, 0])


def test_every_lane_needs_a_stream(tmp_path):
    model = Streamer(tiny_config(), lanes=2)
    with pytest.raises(AssertionError, match="every lane has a stream"):
        TrainingLoop(
            model,
            SummedGradients(model),
            [stream([])],
            tiny_store(RunFolder(tmp_path)),
            sync_every=1,
            report=lambda report: None,
        )
