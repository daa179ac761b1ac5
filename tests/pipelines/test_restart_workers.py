"""Runs of several workers that stop and go on, with as many workers or with others."""

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from pipelines.checkpoints import latest
from pipelines.replicas import DistributedReplicas
from streamer.config import Precision
from tests.pipelines.stoppable import ALL_SNIPPETS, Run, content

PATIENCE_S = 240


def work(rank: int, size: int, root: Path, stages: list[dict[str, Any]]) -> None:
    """Runs one worker through several starts of a run, each with its number of workers."""
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    for number, stage in enumerate(stages):
        workers = stage["workers"]
        if rank >= workers:
            continue
        meeting = f"file://{root}-{number}.meeting"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=workers)
        replicas = DistributedReplicas(torch.device("cpu"))
        run = Run(root, average=stage["average"], precision=stage["precision"], replicas=replicas)
        model = run.start(stage["lanes"], stop_after=stage["stop_after"])
        dist.barrier()
        last = run.reports[-1]
        found = {
            "watched": run.watched,
            "content": content(model),
            "levels": len(model.levels),
            "snippets": last.snippets,
        }
        torch.save(found, f"{root}-{number}-{rank}.pt")
        dist.destroy_process_group()


def run_workers(
    root: Path,
    *stages: tuple[int, int, int | None],
    average: bool = False,
    precision: Precision = "float64",
) -> list[list[dict[str, Any]]]:
    """Starts a run once per stage `(workers, lanes, stop_after)`; what each worker ended with, per stage."""
    told = [
        {"workers": w, "lanes": n, "stop_after": stop, "average": average, "precision": precision}
        for w, n, stop in stages
    ]
    context = multiprocessing.get_context("spawn")
    size = max(workers for workers, _, _ in stages)
    processes = [context.Process(target=work, args=(rank, size, root, told)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    hanging = [process for process in processes if process.is_alive()]
    for process in hanging:
        process.kill()
        process.join()
    assert not hanging, "workers wait for each other"
    assert [process.exitcode for process in processes] == [0] * size
    return [
        [torch.load(f"{root}-{number}-{rank}.pt") for rank in range(workers)]
        for number, (workers, _, _) in enumerate(stages)
    ]


def watched(stages: list[list[dict[str, Any]]]) -> list[tuple[str, int]]:
    return sorted(tuple(one) for stage in stages for worker in stage for one in worker["watched"])


def assert_close(found: list[torch.Tensor], expected: list[torch.Tensor], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


@pytest.mark.parametrize("average", [False, True], ids=["gradients", "parameters"])
def test_two_workers_go_on_to_the_bit(tmp_path, average):
    [undisturbed] = run_workers(tmp_path / "undisturbed", (2, 1, None), average=average, precision="float32")
    stages = run_workers(
        tmp_path / "run", (2, 1, 13), (2, 1, 20), (2, 1, None), average=average, precision="float32"
    )
    assert watched(stages) == ALL_SNIPPETS
    for worker, expected in zip(stages[-1], undisturbed, strict=True):
        assert_close(worker["content"], expected["content"], 0)
    one, other = (Run(tmp_path / name, average=average) for name in ("run", "undisturbed"))
    assert one.results() == other.results()


def test_lanes_may_move_to_other_workers(tmp_path):
    """As many lanes altogether: everything that is summed is the same, in another order."""
    undisturbed = Run(tmp_path / "undisturbed", precision="float64")
    expected = undisturbed.start(2)
    stages = run_workers(tmp_path / "run", (2, 1, 13), (1, 2, 9), (2, 1, None))
    assert watched(stages) == ALL_SNIPPETS
    for worker in stages[-1]:
        assert_close(worker["content"], content(expected), 1e-8)
    events, _ = Run(tmp_path / "run").results()
    assert events == undisturbed.results()[0]


@pytest.mark.parametrize("average", [False, True], ids=["gradients", "parameters"])
def test_the_number_of_workers_may_change(tmp_path, average):
    stages = run_workers(tmp_path / "run", (3, 1, 9), (1, 1, 14), (2, 2, None), average=average)
    assert watched(stages) == ALL_SNIPPETS
    assert sum(worker["snippets"] for worker in stages[-1]) == len(ALL_SNIPPETS)
    events, _ = Run(tmp_path / "run").results()
    assert sorted(events) == ["a", "b", "c", "d", "e"]
    one, other = stages[-1]
    parameters = len(one["content"]) if not average else 2 * one["levels"]
    assert_close(one["content"][:parameters], other["content"][:parameters], 0)


def test_a_stopped_run_holds_one_file_per_worker(tmp_path):
    run_workers(tmp_path / "run", (3, 1, 9))
    saved = latest(tmp_path / "run" / "checkpoints")
    assert saved is not None
    models = [saved.model_path(rank) for rank in range(3)]
    assert all(path.exists() for path in models)
    assert max(path.stat().st_size for path in models[1:]) < models[0].stat().st_size / 2
