"""The whole comparison, on tiny models and in one process."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import engine, floor, material, window
from benchmarks.clock import Cost
from benchmarks.engine import Options, Work
from benchmarks.floor import Best, Workload
from benchmarks.subject import Subject
from benchmarks.window import Window
from streamer.errors import ConfigError, VideoError
from tests.benchmarks.subjects import tiny_model


class HereAndNow:
    """Calls in this process instead of others.

    Attributes:
        called: names, in order.
        answers: what to return instead of calling a function.
    """

    called: list[str]
    answers: dict[object, Callable[..., Any]]

    def __init__(self, names: list[str]) -> None:
        self._names = list(names)

    def __enter__(self) -> "HereAndNow":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        assert name in self._names
        self.called.append(name)
        return self.answers.get(function, function)(*arguments, **options)


@pytest.fixture
def measured(monkeypatch) -> None:
    """Makes models and work tiny, and measures them in this process."""
    HereAndNow.called, HereAndNow.answers = [], {}
    monkeypatch.setattr(engine, "Children", HereAndNow)
    monkeypatch.setattr(engine, "in_child", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(engine, "small_model", lambda: tiny_model("frames"))
    monkeypatch.setattr(engine, "paper_model", lambda: tiny_model("frames"))
    monkeypatch.setattr(engine, "SNIPPETS", 24)
    monkeypatch.setattr(engine, "WORK", dict.fromkeys(engine.WORK, Work(plain=4, snippets=16, base_steps=16)))
    monkeypatch.setattr(floor, "BATCHES", (8,))


@pytest.fixture
def called(measured) -> list[str]:
    """Measures nothing; names of what was to be measured, in order."""
    HereAndNow.answers = {window.measure: _window, floor.measure: _floor}
    return HereAndNow.called


def _window(subject: Subject, *, first: bool) -> Window:
    lengths = {(name, level): {1: 1} for name in "fp" for level in range(3)}
    return Window(10, Cost(2.0, 2.0), int(subject.train), Cost(1.0, 1.0), 300.0, None, lengths)


def _floor(subject: Subject, workloads: Mapping[int, Workload], batches: object) -> dict[floor.Key, Best]:
    return {key: Best(16, Cost(0.01, 0.01)) for key in floor.keys(subject.config, workloads)}


def options(**changes: Any) -> Options:
    return Options(**{"models": ("small",), "threads": torch.get_num_threads(), **changes})


def test_every_setting_is_measured_and_shown(measured):
    shown: list[str] = []
    results = engine.run(
        options(lanes=(1, 2), bf16_lanes=(2,), profile=True, repetitions=1),
        lambda title, rows: shown.append(title),
    )
    settings = [
        f"small model, {source}, {mode}"
        for source in ("generated frames", "vectors")
        for mode in ("training", "inference")
    ]
    assert [result["setting"] for result in results] == settings
    tables = (
        "",
        ": optimizer steps and memory",
        ": floor, ms per snippet",
        ": where the time goes, float32, ms per snippet",
    )
    assert shown[:4] == [settings[0] + table for table in tables]
    assert shown[4:6] == [settings[1], f"{settings[1]}: memory"]
    assert len(shown) == 16
    for result in results:
        assert [(row["model"], row["lanes"], row["type"]) for row in result["speed"]] == [
            ("plain", 1, "float32"),
            ("engine", 1, "float32"),
            ("engine", 2, "float32"),
            ("engine", 2, "bf16"),
        ]
        assert all(row["of floor"] > 0 for row in result["speed"][1:])
        assert list(result["stages"][0]) == ["stage", "1 lane", "2 lanes"]
    json.dumps(results)


def test_repetitions_take_turns(called):
    engine.run(options(lanes=(1,), bf16_lanes=(1,), repetitions=2), lambda title, rows: None)
    turn = ["plain", "engine float32 1", "engine bf16 1", "floor float32", "floor bf16"]
    assert called == turn * 2 * 4


def test_only_the_first_repetition_looks_at_memory_and_tries_all_batches(called):
    firsts, batches = [], []

    def noting_window(subject, *, first):
        firsts.append(first)
        return _window(subject, first=first)

    def noting_floor(subject, workloads, tries):
        batches.append(tries)
        return _floor(subject, workloads, tries)

    HereAndNow.answers = {window.measure: noting_window, floor.measure: noting_floor}
    engine.run(options(lanes=(1,), bf16_lanes=(), repetitions=2), lambda title, rows: None)
    assert firsts == [True, True, False, False] * 4  # plain and engine
    assert batches[0] == {}
    assert set(map(tuple, batches[1].values())) == {(16,)}
    assert len(batches[1]) == 2 + 6


def test_lanes_observe_whole_rows(called, monkeypatch):
    monkeypatch.setattr(engine, "WORK", dict.fromkeys(engine.WORK, Work(plain=4, snippets=50, base_steps=20)))
    steps = []

    def noting(subject, *, first):
        steps.append((subject.lanes, subject.base_steps))
        return _window(subject, first=first)

    HereAndNow.answers[window.measure] = noting
    engine.run(options(lanes=(1, 2), bf16_lanes=(), repetitions=1), lambda title, rows: None)
    assert set(steps) == {(0, 4), (1, 64), (2, 32)}


def test_a_quick_run_is_short_whatever_else_is_asked_for(called):
    results = engine.run(Options(quick=True, threads=torch.get_num_threads()), lambda title, rows: None)
    assert [result["setting"].split(",")[0] for result in results] == ["small model"] * 4
    assert called == ["plain", "engine float32 16", "engine bf16 8", "floor float32", "floor bf16"] * 4


def test_one_setting_may_be_measured_alone(called):
    results = engine.run(options(only="vectors, training", bf16_lanes=()), lambda title, rows: None)
    assert [result["setting"] for result in results] == ["small model, vectors, training"]
    with pytest.raises(ConfigError, match="nothing to measure has `vectors, trainings`"):
        engine.run(options(only="vectors, trainings"), lambda title, rows: None)


def test_a_video_is_measured_beside_generated_frames(called, tmp_path):
    clip = material.encode(tmp_path / "clip.mp4", seconds=3, rate=10, height=32, width=48, scene_s=1)
    results = engine.run(
        options(video=clip, lanes=(2,), bf16_lanes=(), repetitions=1), lambda title, rows: None
    )
    assert [result["setting"].split(", ")[1] for result in results[::2]] == [
        "generated frames",
        "clip.mp4",
        "vectors",
    ]


def test_a_video_is_decoded_as_the_model_takes_it(tmp_path):
    clip = material.encode(tmp_path / "c.mp4", seconds=3, rate=10, height=32, width=48, scene_s=1)
    snippets = material.decoded(clip, tiny_model("frames"), 100)
    assert (snippets.shape, snippets.dtype) == ((6, 16, 16, 3), np.dtype(np.uint8))
    assert len(material.decoded(clip, tiny_model("frames"), 2)) == 2


def test_a_video_that_cannot_be_read_is_refused_before_anything_is_measured(called):
    with pytest.raises(VideoError, match="there_is_none"):
        engine.run(options(video=Path("there_is_none.mp4")), lambda title, rows: None)
    assert called == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ()}, "no model"),
        ({"lanes": ()}, "no number of lanes"),
        ({"lanes": (1, 0)}, "lanes must be at least 1, not 0"),
        ({"bf16_lanes": (-1,)}, "lanes must be at least 1, not -1"),
        ({"repetitions": 0}, "repetitions must be at least 1, not 0"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
    ],
)
def test_options_that_cannot_be_measured_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        Options(**changes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_cuda_is_refused_where_there_is_none(called):
    with pytest.raises(ConfigError, match="no CUDA device"):
        engine.run(options(device="cuda"), lambda title, rows: None)


def test_the_command_prints_tables_and_writes_everything(measured, tmp_path, capsys):
    path = tmp_path / "b.json"
    words = ["engine", "--quick", "--models", "small", "--lanes", "2", "--threads", "1", "--json", str(path)]
    assert command.main(words) == 0
    output = capsys.readouterr().out
    assert "small model, vectors, training" in output
    assert "frame decoder" in output
    results = json.loads(path.read_text())
    assert [result["threads"] for result in results["engine"]] == [1] * 4
    assert results["machine"]["cpus"] >= 1


def test_the_command_refuses_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit):
        command.main(["modle"])
    assert "modle: no such part; take some of engine" in capsys.readouterr().err
    assert command.main(["engine", "--lanes", "0"]) == 2
    assert "at least 1, not 0" in capsys.readouterr().out
