"""What Prometheus reads of a worker."""

from urllib.request import urlopen

import pytest
import ray
import ray.train

from pipelines.meters import WorkerMeters
from pipelines.replicas import TimedReplicas
from pipelines.snippets import VideoEnd
from pipelines.worker_report import WorkerReport
from streamer.replicas import SingleReplica
from tests.pipelines.processes import await_true

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


class Stream:
    """Stands for a lane's stream."""

    bytes_ahead = 700


def page() -> dict[str, float]:
    """The streamer's own metrics as the node shows them, by name."""
    [node] = ray.nodes()
    with urlopen(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    own = [line for line in lines if line.startswith("ray_streamer") and 'rank="0"' in line]
    return {line.split("{")[0].removeprefix("ray_"): float(line.split()[-1]) for line in own}


def test_ray_shows_what_a_worker_reports(monkeypatch):
    sent = []
    monkeypatch.setattr(ray.train, "report", sent.append)
    replicas = TimedReplicas(SingleReplica())
    streams: list = [Stream(), Stream()]
    meters = WorkerMeters(replicas, streams)
    meters.report(WorkerReport(snippets=100, seconds=2.0, events=[1]))
    replicas.seconds = 0.5
    end = VideoEnd("a", 60, 30.0, "done", None)
    meters.report(WorkerReport(snippets=160, seconds=2.0, waited_s=1.5, steps=7, ended=[end], events=[2]))
    assert [report["barrier_s"] for report in sent] == [0.0, 0.5]
    assert [report["bytes_ahead"] for report in sent] == [1400, 1400]
    expected = {
        "streamer_snippets_total": 60.0,  # those before the first report an earlier process has shown
        "streamer_videos_ended_total": 1.0,
        "streamer_waiting_share": 0.75,
        "streamer_barrier_share": 0.25,
        "streamer_bytes_ahead": 1400.0,
        "streamer_optimizer_steps": 7.0,
    }
    await_true(lambda: expected.items() <= page().items(), f"the metrics: {page()}")
