"""Segmenting workers through Ray Data: any number of them, and what their deaths cost."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import streamer
from pipelines import segmenter
from pipelines.catalog import CatalogEntry
from pipelines.decoding import DecodingSettings
from pipelines.library import MOST_DEATHS, LibraryReport, write_shelf
from pipelines.run_folder import RunFolder
from pipelines.segmenter import Conductor, Segmenter, SegmenterTask, Workers, segment_videos
from pipelines.session import ClusterError
from pipelines.snippets import SnippetBlock, VideoEnd
from pipelines.store import read_signals
from streamer import checkpoint
from streamer.hierarchy import Hierarchy
from streamer.segmentation import StoredModel
from streamer.streamer import Streamer
from tests.pipelines.conftest import write_vectors
from tests.pipelines.processes import await_true
from tests.pipelines.runs import table
from tests.pipelines.test_segmenting import assert_alike
from tests.pipelines.tiny import tiny_config

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

DIM = 16
ROWS = {"a": 100, "b": 70, "c": 33, "d": 16, "e": 1, "f": 64}

Item = SnippetBlock | VideoEnd


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a model that has learned."""
    model = Streamer(tiny_config(feature_dim=DIM), seed=1)
    folder = tmp_path_factory.mktemp("model")
    streamer.segment(str(write_vectors(folder / "v.npy", 50, DIM)), model)
    checkpoint.save(model, folder / "streamer.pt")
    return folder / "streamer.pt"


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[CatalogEntry]:
    """Streams of vectors of different lengths."""
    folder = tmp_path_factory.mktemp("vectors")
    paths = [
        write_vectors(folder / f"{name}.npy", rows, DIM, seed)
        for seed, (name, rows) in enumerate(ROWS.items())
    ]
    return [CatalogEntry(path.stem, str(path), "vectors", ROWS[path.stem] / 2, dim=DIM) for path in paths]


class Job:
    """A segmentation of some videos.

    Attributes:
        folder: its run.
        ends: how videos ended.
        stops: for every time it was told that the job stops, how many videos had ended.
    """

    def __init__(self, root: Path, model_path: Path, entries: Sequence[CatalogEntry]) -> None:
        self.folder = RunFolder(root / "run")
        self.folder.create()
        self.ends: list[VideoEnd] = []
        self.stops: list[int] = []
        self._model_path = model_path
        self._shelf = root / "shelf.parquet"
        write_shelf(self._shelf, entries)

    def run(
        self,
        workers: int = 1,
        lanes: int = 1,
        *,
        adaptive: bool = False,
        interrupted: threading.Event | None = None,
        receive: Callable[[LibraryReport], None] = lambda report: None,
    ) -> bool:
        task = SegmenterTask(
            checkpoint=str(self._model_path),
            device="cpu",
            precision=None,
            timescales=None,
            lanes=lanes,
            adaptive=adaptive,
            decoder="pyav",
            decoding=DecodingSettings(),
            out=str(self.folder.root),
            metadata={"streamer.model": "tiny"},
            signals=True,
        )

        def note(report: LibraryReport) -> None:
            self.ends += [video.end for video in report.ended]
            receive(report)

        return segment_videos(
            task,
            str(self._shelf),
            Workers(workers, 0.5, 0),
            receive=note,
            interrupted=interrupted or threading.Event(),
            stopping=lambda: self.stops.append(len(self.ends)),
        )

    def statuses(self) -> dict[str, str]:
        """Status of every video, each of which has ended once."""
        found = {end.video_id: end.status for end in self.ends}
        assert len(found) == len(self.ends)
        return found

    def hierarchies(self) -> dict[str, Hierarchy]:
        found = [Hierarchy.from_parquet(path) for path in self.folder.hierarchy.glob("*.parquet")]
        return {hierarchy.video_id: hierarchy for hierarchy in found}


@pytest.fixture
def job(tmp_path, model_path, entries) -> Job:
    return Job(tmp_path, model_path, entries)


@pytest.fixture(scope="module")
def alone(model_path, entries) -> dict[str, Hierarchy]:
    """What the library makes of the videos, one by one."""
    model = StoredModel(model_path).frozen()
    return {entry.video_id: streamer.segment(entry.uri, model) for entry in entries}


DONE = dict.fromkeys(ROWS, "done")


def assert_same(found: dict[str, Hierarchy], expected: dict[str, Hierarchy]) -> None:
    assert found.keys() == expected.keys()
    for name, hierarchy in found.items():
        assert_alike(hierarchy, expected[name])


@pytest.mark.parametrize(("workers", "lanes"), [(1, 1), (1, 3), (2, 2)])
def test_workers_times_lanes_do_not_matter(job, alone, workers, lanes):
    assert job.run(workers, lanes)
    assert job.statuses() == DONE
    assert_same(job.hierarchies(), alone)
    if lanes == 1:
        assert {name: table(each) for name, each in job.hierarchies().items()} == {
            name: table(each) for name, each in alone.items()
        }
    assert all(read_signals(job.folder, name) is not None for name in ROWS)
    assert {end.video_id: end.snippets for end in job.ends} == ROWS


@pytest.mark.parametrize(("workers", "lanes"), [(2, 2)])
def test_models_that_learn_begin_every_video_afresh(job, model_path, entries, workers, lanes):
    assert job.run(workers, lanes, adaptive=True)
    stored = StoredModel(model_path)
    expected = {entry.video_id: streamer.segment(entry.uri, stored.learning()) for entry in entries}
    assert {name: table(each) for name, each in job.hierarchies().items()} == {
        name: table(each) for name, each in expected.items()
    }


class DiesOnce(Segmenter):
    """Is killed in the middle of `b`, once."""

    def _open_stream(self, entries: Sequence[CatalogEntry]) -> Iterator[Item]:  # pyright: ignore
        flag = Path(self._task.out) / "killed"
        blocks = 0
        for item in super()._open_stream(entries):
            yield item
            blocks += isinstance(item, SnippetBlock) and item.video_id == "b"
            if blocks == 3 and not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)


class DiesAlways(Segmenter):
    """Is killed by the video `b`."""

    def _open_stream(self, entries: Sequence[CatalogEntry]) -> Iterator[Item]:  # pyright: ignore
        for item in super()._open_stream(entries):
            if item.video_id == "b":
                with (Path(self._task.out) / "deaths").open("a") as file:
                    file.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
            yield item


class NeverStarts(Segmenter):
    """Is killed while it loads the model."""

    def __init__(self, task: SegmenterTask, library: Any) -> None:
        super().__init__(task, library)
        os.kill(os.getpid(), signal.SIGKILL)


class Waits(Segmenter):
    """Watches `a` and no other video to its end."""

    def _open_stream(self, entries: Sequence[CatalogEntry]) -> Iterator[Item]:  # pyright: ignore
        for item in super()._open_stream(entries):
            if isinstance(item, VideoEnd) and item.video_id != "a":
                threading.Event().wait()
            yield item


class Buggy(Segmenter):
    """Raises."""

    def _open_stream(self, entries: Sequence[CatalogEntry]) -> Iterator[Item]:  # pyright: ignore
        raise ZeroDivisionError("the bug")


def test_a_worker_that_is_killed_costs_a_retry(job, alone, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", DiesOnce)
    assert job.run(2, 2)
    assert (job.folder.root / "killed").exists()
    assert job.statuses() == DONE
    assert_same(job.hierarchies(), alone)


def test_a_video_that_kills_every_worker_fails_and_no_other(job, alone, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", DiesAlways)
    assert job.run(1, 2)
    assert job.statuses() == {**DONE, "b": "failed"}
    assert_same(job.hierarchies(), {name: each for name, each in alone.items() if name != "b"})
    assert len((job.folder.root / "deaths").read_text()) == MOST_DEATHS
    [end] = [end for end in job.ends if end.video_id == "b"]
    assert f"died {MOST_DEATHS} times" in (end.reason or "")


def test_workers_that_never_start_end_the_job(job, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", NeverStarts)
    with pytest.raises(ClusterError, match="died before any video ended"):
        job.run(1, 1)


def test_a_bug_ends_the_job(job, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", Buggy)
    with pytest.raises(Exception, match="the bug"):  # Ray wraps it in errors of its own
        job.run(1, 1)


def test_a_job_that_was_interrupted_goes_on_with_what_is_missing(
    tmp_path, model_path, entries, alone, monkeypatch
):
    import ray

    first, interrupted = Job(tmp_path, model_path, entries), threading.Event()

    def receive(report: LibraryReport) -> None:
        if report.ended:
            interrupted.set()

    monkeypatch.setattr(segmenter, "Segmenter", Waits)
    total = ray.cluster_resources()["CPU"]
    assert not first.run(1, 2, interrupted=interrupted, receive=receive)
    assert first.statuses() == {"a": "done"}
    assert first.stops == [1]
    assert list(first.hierarchies()) == ["a"]
    await_true(lambda: ray.available_resources().get("CPU") == total, "all workers have left")
    monkeypatch.setattr(segmenter, "Segmenter", Segmenter)
    second = Job(tmp_path, model_path, entries)
    before = second.folder.hierarchy_of("a").stat()
    assert second.run(1, 2)
    assert second.statuses() == {name: "done" for name in ROWS if name != "a"}
    assert second.folder.hierarchy_of("a").stat().st_mtime_ns == before.st_mtime_ns
    assert_same(second.hierarchies(), alone)


class KillsConductor(Segmenter):
    """Ends the process that Ray Data runs in, once."""

    def _open_stream(self, entries: Sequence[CatalogEntry]) -> Iterator[Item]:  # pyright: ignore
        flag = Path(self._task.out) / "killed"
        for item in super()._open_stream(entries):
            yield item
            if item.video_id == "b" and not flag.exists():
                flag.write_text("x")
                os.kill(int((Path(self._task.out) / "conductor").read_text()), signal.SIGKILL)


class TellsWhoItIs(Conductor):
    """Writes its process id into the folder of the run."""

    def run(self, segmenter: Any, task: SegmenterTask, library: Any, workers: Workers) -> None:
        (Path(task.out) / "conductor").write_text(str(os.getpid()))
        super().run(segmenter, task, library, workers)


def test_the_process_of_ray_data_may_be_killed(job, alone, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", KillsConductor)
    monkeypatch.setattr(segmenter, "Conductor", TellsWhoItIs)
    assert job.run(1, 1)
    assert (job.folder.root / "killed").exists()
    assert job.statuses() == DONE
    assert_same(job.hierarchies(), alone)
