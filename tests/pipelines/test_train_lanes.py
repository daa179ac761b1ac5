"""The `train` command with several lanes: however they are spread over workers, one model learns."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipelines.cli import main
from pipelines.run_folder import CHECKPOINT_FILE, FINAL_CHECKPOINT, RunFolder
from streamer import checkpoint
from streamer.hierarchy import Hierarchy
from tests.pipelines.conftest import MODEL, VIDEO_MODEL, Train, write_vectors
from tests.pipelines.runs import check_run, hierarchies, table

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

ROWS = {"a": 60, "b": 45, "c": 30, "d": 25, "e": 20, "f": 1}
ROUNDING = 1e-9
SETTINGS = [*MODEL, "--precision", "float64", "--seed", 3]

Spread = Callable[[int, int], RunFolder]


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory, store: str) -> Spread:
    """Trains on the same recordings by any number of workers and lanes, once for each."""
    root = tmp_path_factory.mktemp("spread")
    recordings = root / "recordings"
    recordings.mkdir()
    for name, rows in ROWS.items():
        write_vectors(recordings / f"{name}.npy", rows, seed=rows)

    def train(workers: int, lanes: int) -> RunFolder:
        folder = RunFolder(root / f"{workers}x{lanes}")
        if not folder.root.exists():
            words = ["train", recordings, "--out", folder.root, *SETTINGS]
            words += ["--workers", workers, "--lanes", lanes, "--tracking_uri", store]
            assert main([str(word) for word in words]) == 0
        return folder

    return train


def parameters(folder: RunFolder) -> dict[str, torch.Tensor]:
    return checkpoint.read(folder.checkpoints / FINAL_CHECKPOINT / CHECKPOINT_FILE)["parameters"]


def starts(hierarchy: Hierarchy) -> list[list[tuple[float, float]]]:
    return [hierarchy.segments(level) for level in range(hierarchy.num_levels)]


@pytest.mark.parametrize(("workers", "lanes"), [(2, 2), (4, 1)])
def test_four_lanes_learn_the_same_on_any_number_of_workers(spread: Spread, workers: int, lanes: int) -> None:
    one, other = spread(1, 4), spread(workers, lanes)
    totals = check_run(one)["totals"]
    assert totals == check_run(other)["totals"]
    assert totals["snippets"] == sum(ROWS.values())
    assert totals["levels"] == 3, "a test in which levels grow"
    assert totals["optimizer_steps"] > 5, "a test in which parameters change"
    assert {name: starts(hierarchy) for name, hierarchy in hierarchies(one).items()} == {
        name: starts(hierarchy) for name, hierarchy in hierarchies(other).items()
    }
    mine, others = parameters(one), parameters(other)
    assert mine.keys() == others.keys()
    for name, parameter in mine.items():
        assert parameter.dtype == torch.float64
        torch.testing.assert_close(parameter, others[name], atol=ROUNDING, rtol=0)


def test_equal_runs_of_several_lanes_are_equal_to_the_bit(clips: Path, command: Train) -> None:
    """Frames are encoded several at once; which ones must not depend on the speed of decoding."""
    words = [clips, *MODEL, *VIDEO_MODEL, "--lanes", 3]
    first, again = (command("train", *words, out=name) for name in ("first", "again"))
    assert (first.code, again.code) == (0, 0)
    runs = [check_run(run.folder) for run in (first, again)]
    assert runs[0]["totals"]["optimizer_steps"] > 1
    assert runs[0]["parameters_crc32"] == runs[1]["parameters_crc32"]
    assert {name: table(h) for name, h in hierarchies(first.folder).items()} == {
        name: table(h) for name, h in hierarchies(again.folder).items()
    }
