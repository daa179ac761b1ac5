"""Processes that watch videos: what happens when they die, fail, or are stopped."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pipelines.baselines import workers
from pipelines.baselines.config import BaselineConfig, PredictorName
from pipelines.baselines.predicting import watch_video
from pipelines.baselines.workers import Reports, WorkerFaultError, take_durations, watch_videos
from pipelines.catalog import CatalogEntry
from pipelines.library import EndedVideo
from pipelines.run_folder import RunFolder
from pipelines.snippets import VideoEnd
from streamer.snippet_cache import CacheError
from tests.pipelines.baselines.tasks import DEADLY, TaskThat
from tests.pipelines.conftest import write_vectors
from tests.pipelines.runs import hierarchies

ROWS = 12


def entries(folder: Path, *names: str) -> list[CatalogEntry]:
    paths = {name: write_vectors(folder / f"{name}.npy", ROWS) for name in names}
    return [CatalogEntry(name, str(path), "vectors", ROWS / 2, dim=16) for name, path in paths.items()]


def task(folder: Path, event: str = "", name: PredictorName = "clustering") -> TaskThat:
    return TaskThat(BaselineConfig(name, ["x"], str(folder)), str(folder), {}, event=event)


class Told:
    """What was reported."""

    def __init__(self) -> None:
        self.ended: list[EndedVideo] = []
        self.finished: list[bool] = []

    def __call__(self, report) -> None:
        self.ended += report.ended
        self.finished.append(report.finished)


def watch(videos, what, *, number=1, interrupted=None, told=None):
    told = told or Told()
    done = watch_videos(videos, what, number, receive=told, interrupted=interrupted or threading.Event())
    return done, told


def test_videos_are_shared_and_the_longest_comes_first(tmp_path):
    videos = entries(tmp_path, "a", "b", "c")
    np.save(tmp_path / "c.npy", np.ones((40, 16), np.float32))
    videos[2] = CatalogEntry("c", videos[2].uri, "vectors", 20.0, dim=16)
    done, told = watch(videos, task(tmp_path / "run"))
    assert done
    assert [video.end.video_id for video in told.ended] == ["c", "a", "b"]
    assert told.finished[-1]
    assert set(hierarchies(RunFolder(tmp_path / "run"))) == {"a", "b", "c"}
    again, told = watch(videos, task(tmp_path / "other"), number=2)
    assert again
    assert {video.end.video_id: video.end.snippets for video in told.ended} == {"a": 12, "b": 12, "c": 40}


def test_a_video_whose_worker_dies_twice_fails_alone(tmp_path):
    done, told = watch(entries(tmp_path, "a", DEADLY, "z"), task(tmp_path / "run", "dies"), number=2)
    assert done
    ends = {video.end.video_id: video.end for video in told.ended}
    assert {name: end.status for name, end in ends.items()} == {"a": "done", DEADLY: "failed", "z": "done"}
    assert ends[DEADLY].reason == (
        "its worker died (signal 9, SIGKILL), tried 2 times; replace or re-encode the file"
    )
    assert set(hierarchies(RunFolder(tmp_path / "run"))) == {"a", "z"}
    assert (tmp_path / "deaths").read_text() == "xx"


def test_a_fault_ends_the_run_with_its_traceback(tmp_path):
    with pytest.raises(WorkerFaultError, match="KeyError: 'the bug'"):
        watch(entries(tmp_path, DEADLY), task(tmp_path / "run", "fails"))


def test_an_error_of_the_users_comes_as_it_is(tmp_path):
    with pytest.raises(CacheError, match="choose another --cache"):
        watch(entries(tmp_path, DEADLY), task(tmp_path / "run", "cannot cache"))


def test_workers_that_do_not_start_are_no_videos_fault(tmp_path):
    with pytest.raises(WorkerFaultError, match=r"did not start \(exit status 3\)"):
        watch(entries(tmp_path, "a"), task(tmp_path / "run", "does not start"))


def test_what_is_finished_when_it_is_stopped_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "POLL_SECONDS", 0.0)
    stop, told = threading.Event(), Told()

    def receive(report) -> None:
        told(report)
        if report.ended:
            stop.set()

    videos = entries(tmp_path, "a", DEADLY)
    assert not watch_videos(videos, task(tmp_path / "run"), 1, receive=receive, interrupted=stop)
    assert [video.end.video_id for video in told.ended] == ["a"]
    assert not any(told.finished)
    assert set(hierarchies(RunFolder(tmp_path / "run"))) == {"a"}


def test_workers_end_with_the_process_that_started_them(tmp_path):
    """Also in the middle of a video, and when that process is killed."""
    videos = entries(tmp_path, DEADLY)
    script = tmp_path / "main.py"
    script.write_text(
        "import threading\n"
        "from tests.pipelines.baselines.test_workers import *\n"
        f"if __name__ == '__main__':\n    watch({videos!r}, task(Path({str(tmp_path / 'run')!r}), 'hangs'))\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=environment, cwd=root
    ) as process:
        assert process.stdout is not None
        worker = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        # The pipe, which the worker has too, closes when both have ended.
        assert process.stdout.read() == b""
        os.close(worker)


def test_of_a_video_that_fails_nothing_is_left(tmp_path):
    [video] = entries(tmp_path, "a")
    folder = RunFolder(tmp_path / "run")
    what = task(folder.root, name="novelty")
    assert watch_video(video, what, what.store(), lambda snippets: None).end.status == "done"
    assert folder.signals_of("a").exists()
    np.save(tmp_path / "a.npy", np.full((ROWS, 16), np.nan, np.float32))
    failed = watch_video(video, what, what.store(), lambda snippets: None)
    assert (failed.end.status, failed.events) == ("failed", [])
    assert not folder.hierarchy_of("a").exists()
    assert not folder.signals_of("a").exists()


def test_durations_alone_need_no_process(tmp_path):
    videos = [CatalogEntry(name, "", "video", 3.2) for name in ("a", "b")]
    told, stop = Told(), threading.Event()
    what = task(tmp_path / "run", name="dyadic_grid")
    assert take_durations(videos, what, receive=told, interrupted=stop)
    assert [(video.end.snippets, video.events) for video in told.ended] == [(7, [4]), (7, [4])]
    stop.set()
    assert not take_durations(videos, what, receive=told, interrupted=stop)


def test_reports_come_when_it_is_time_and_none_is_lost():
    now, told = [0.0], Told()
    reports = Reports(told, clock=lambda: now[0])
    first, second = (EndedVideo(VideoEnd(name, 1, 0.5, "done", None), [1]) for name in "ab")
    reports.add(first)
    reports.add(None)
    reports.tell(3)
    assert told.finished == []
    now[0] = 1.0
    reports.tell(3)
    assert told.ended == [first]
    reports.add(second)
    assert reports.close(finished=True)
    assert (told.ended, told.finished) == ([first, second], [False, True])
