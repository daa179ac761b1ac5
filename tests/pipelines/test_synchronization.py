"""Workers in real processes learn one model, or average theirs, and never wait for each other in vain."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from pipelines.synchronization import AveragedParameters
from streamer.hierarchy import Hierarchy
from streamer.streamer import Streamer
from tests.pipelines.group import Scenario, run_scenarios
from tests.pipelines.lockstep import Claim, averaged_parameters, summed_gradients
from tests.pipelines.tiny import Video, tiny_config
from tests.plain.streamer import PlainStreamer

LONG = [Video("long_a", 50), Video("long_b", 30)]
SHORT = [Video("short", 4)]
GAPPED = [Video("empty", 0), Video("mid_a", 9), Video("broken", 5, breaks=True), Video("mid_b", 14)]
OTHERS = [Video("other_a", 21), Video("other_b", 33)]
FOUR_SHARES = [GAPPED, LONG, OTHERS, SHORT]

TWO = Scenario("two", [LONG, SHORT])
THREE = Scenario("three", [LONG, GAPPED, []])
RARE = Scenario("rare", [GAPPED, LONG, SHORT], sync_every=4)
FOUR_WORKERS = Scenario("four_by_one", FOUR_SHARES, lanes=1)
TWO_PAIRS = Scenario("two_by_two", FOUR_SHARES, lanes=2)
FOUR_LANES = Scenario("one_by_four", FOUR_SHARES, lanes=4)
AGAIN = Scenario("again", FOUR_SHARES, lanes=2)
IDLE_LANES = Scenario("idle_lanes", [LONG, [], [], [], SHORT, OTHERS], lanes=2)
RARE_LANES = Scenario("rare_lanes", [GAPPED, LONG, SHORT, []], lanes=2, sync_every=4, precision="float32")
SUMMED = [TWO, THREE, RARE, FOUR_WORKERS, TWO_PAIRS, FOUR_LANES, AGAIN, IDLE_LANES, RARE_LANES]

AVERAGED = Scenario("averaged", [LONG, GAPPED], sync="parameters", sync_every=3)
UNEQUAL = Scenario("unequal", [SHORT, [], LONG], sync="parameters", sync_every=7)
OFTEN = Scenario("often", [LONG, GAPPED], sync="parameters", sync_every=1)
LANES_APART = Scenario("lanes_apart", [GAPPED, SHORT, LONG, OTHERS], lanes=2, sync="parameters", sync_every=3)
MEANS = [AVERAGED, UNEQUAL, OFTEN, LANES_APART]

SCENARIOS = [*SUMMED, *MEANS]

ROUNDING = 1e-8
ROUNDING_IN_FILES = 1e-6  # which hold float32


def name_of(scenario: Scenario) -> str:
    return scenario.name


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("group")


@pytest.fixture(scope="module")
def found(root):
    return run_scenarios(SCENARIOS, root)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_replicas_are_bit_equal_at_the_end(found, scenario):
    workers = found[scenario.name]
    assert len({worker["checksums"][-1] for worker in workers}) == 1
    for worker in workers:
        assert all(map(torch.equal, worker["parameters"], workers[0]["parameters"]))


@pytest.mark.parametrize("scenario", SUMMED, ids=name_of)
def test_replicas_are_bit_equal_after_every_step(found, scenario):
    first, *others = [worker["checksums"] for worker in found[scenario.name]]
    assert len(set(first)) > 2, "the model must take steps"
    assert all(checksums == first for checksums in others)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_every_video_ends_once_and_is_stored_if_it_could_be_read(found, root, scenario):
    videos = [video for share in scenario.shares for video in share]
    reports = [report for worker in found[scenario.name] for report in worker["reports"]]
    ends = [end["video_id"] for report in reports for end in report["ended"]]
    assert sorted(ends) == sorted(video.name for video in videos)
    assert sum(worker["last"]["snippets"] for worker in found[scenario.name]) == sum(
        video.snippets for video in videos
    )
    stored = {path.stem for path in RunFolder(root / scenario.name).hierarchy.iterdir()}
    assert stored == {video.name for video in videos if video.end.status == "done"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_all_workers_report_at_the_same_barriers(found, scenario):
    workers = found[scenario.name]
    assert len({len(worker["reports"]) for worker in workers}) == 1
    assert len({worker["last"]["num_levels"] for worker in workers}) == 1
    assert workers[0]["last"]["num_levels"] > 1, "the model must grow"


def assert_same_run(folder: Path, expected: Path, tolerance: float) -> None:
    """Asserts that two runs wrote the same events and signals; the events' times are compared exactly."""
    one, other = RunFolder(folder), RunFolder(expected)
    names = sorted(path.name for path in other.hierarchy.iterdir())
    assert sorted(path.name for path in one.hierarchy.iterdir()) == names
    for name in names:
        left, right = (Hierarchy.from_parquet(run.hierarchy / name) for run in (one, other))
        assert [left.segments(level) for level in range(left.num_levels)] == [
            right.segments(level) for level in range(right.num_levels)
        ]
        vectors = [
            np.array([e.representation for level in h.levels for e in level if e.representation is not None])
            for h in (left, right)
        ]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=tolerance, rtol=0)
        tables = [read_signals(run, Path(name).stem) for run in (one, other)]
        columns = [table.drop_columns(["signal"]) for table in tables if table is not None]
        assert columns[0].equals(columns[1])
        values = [table["signal"].to_numpy() for table in tables if table is not None]
        np.testing.assert_allclose(values[0], values[1], atol=tolerance, rtol=0)


def assert_same_parameters(worker, model: PlainStreamer, tolerance: float) -> None:
    for parameter, expected in zip(worker["parameters"], model.levels.parameters(), strict=True):
        torch.testing.assert_close(parameter, expected.detach(), atol=tolerance, rtol=0)


@pytest.mark.parametrize(
    "scenario", [TWO, THREE, RARE, FOUR_WORKERS, TWO_PAIRS, FOUR_LANES, IDLE_LANES], ids=name_of
)
def test_gradients_summed_at_barriers_are_one_model_with_many_lanes(found, root, tmp_path, scenario):
    expected = summed_gradients(scenario.shares, tmp_path, scenario.sync_every)
    assert_same_run(root / scenario.name, tmp_path, ROUNDING_IN_FILES)
    for worker in found[scenario.name]:
        assert_same_parameters(worker, expected[0].model, ROUNDING)


@pytest.mark.parametrize("scenario", [FOUR_WORKERS, TWO_PAIRS], ids=name_of)
def test_lanes_may_be_spread_over_workers(found, root, scenario):
    assert_same_run(root / scenario.name, root / FOUR_LANES.name, ROUNDING_IN_FILES)
    [together], [first, *_] = found[FOUR_LANES.name], found[scenario.name]
    for parameter, other in zip(first["parameters"], together["parameters"], strict=True):
        torch.testing.assert_close(parameter, other, atol=ROUNDING, rtol=0)


def test_equal_runs_are_equal_to_the_bit(found, root):
    assert_same_run(root / AGAIN.name, root / TWO_PAIRS.name, tolerance=0.0)
    for again, first in zip(found[AGAIN.name], found[TWO_PAIRS.name], strict=True):
        assert again["checksums"] == first["checksums"]
        assert all(map(torch.equal, again["parameters"], first["parameters"]))


@pytest.mark.parametrize("scenario", MEANS, ids=name_of)
def test_parameters_are_the_mean_over_workers_that_saw_snippets(found, root, tmp_path, scenario):
    expected = averaged_parameters(scenario.by_worker, scenario.sync_every, tmp_path)
    assert_same_run(root / scenario.name, tmp_path, ROUNDING_IN_FILES)
    for worker, [reference, *_] in zip(found[scenario.name], expected, strict=True):
        assert_same_parameters(worker, reference.model, ROUNDING)


def test_averaging_refuses_a_model_that_has_replicas_of_its_own():
    with pytest.raises(AssertionError, match="alone"):
        AveragedParameters(Streamer(tiny_config(), replicas=Claim(2, 0)), Claim(2, 0))
