"""Scoring in several processes: as many as are worth it, and the same scores."""

import os

import pytest
from rich.console import Console

from pipelines.evaluation import workers
from pipelines.evaluation.scores import scores_frame
from pipelines.evaluation.scoring import Protocol
from pipelines.evaluation.workers import VideoJob, num_workers, score_jobs
from streamer.errors import HierarchyError
from tests.pipelines.finished_run import make_run

TRUTH = {"scene": [(0.0, 6.0, "a"), (6.0, 20.0, "b")]}


def job(folder, name, duration_s=3600.0):
    return VideoJob(name, folder.hierarchy_of(name), TRUTH, duration_s, 25.0)


@pytest.fixture
def two_cpus(monkeypatch):
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


def scored(jobs):
    videos = score_jobs(jobs, Protocol(labelled=frozenset(TRUTH)), Console(quiet=True))
    return [score for video in videos for score in video.scores]


def test_little_work_gets_no_process(tmp_path, two_cpus):
    folder = make_run(tmp_path)
    assert num_workers([job(folder, "a", 600.0), job(folder, "b", 600.0)]) == 1
    assert num_workers([job(folder, "a", 0.0)]) == 1


def test_no_more_processes_than_cpus_or_videos(tmp_path, two_cpus):
    folder = make_run(tmp_path)
    assert num_workers([job(folder, "a", 1e6)]) == 1
    assert num_workers([job(folder, "a", 1e6) for _ in range(9)]) == 2


def test_several_processes_find_what_one_finds(tmp_path, two_cpus):
    """And an error of one of them is that of the command."""
    folder = make_run(tmp_path, ["a", "b", "c"])
    alone = scored([job(folder, name, 1.0) for name in "abc"])
    together = [job(folder, name, 1e6 if name == "c" else 1.0) for name in "abc"]
    assert num_workers(together) == 2
    assert scores_frame(scored(together)).equals(scores_frame(alone))
    folder.hierarchy_of("b").write_bytes(b"noise")
    with pytest.raises(HierarchyError, match=r"b\.parquet"):
        scored(together)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="CPUs cannot be taken from a process here")
def test_cpus_are_those_that_the_process_may_use(tmp_path):
    folder = make_run(tmp_path)
    assert num_workers([job(folder, "a", 1e6) for _ in range(999)]) == len(os.sched_getaffinity(0))
