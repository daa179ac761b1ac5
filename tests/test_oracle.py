import json
import math
from pathlib import Path
from typing import Any

import pytest

from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests import oracle
from tests.plain.streamer import PlainStreamer

CASES = sorted((Path(__file__).parent / "oracle_cases").glob("*.json"))
SCHEDULES = {
    "fast": Schedule(),
    # So many flushes that what is computed again and what is still needed meet in every way.
    "fast in tiny batches": Schedule(flush_losses=2, encode_ahead=3),
    "plain": None,
}


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
def test_the_model_agrees_with_the_release(path, schedule):
    deviations = oracle.check(path, schedule)
    assert deviations.agrees, oracle.describe(path, deviations)


def test_all_cases_are_there():
    assert len(CASES) == 11


def small_case(**changes: Any) -> dict[str, Any]:
    case = {
        "name": "small",
        "stream": {"kind": "vectors", "n": 40, "seed": 6},
        "args": {"feature_dim": 8, "max_layers": 2, "evolve_every": 8, "buffer_size": 4},
        "optim": {"optimize_every": 3, "max_layers": 2},
    }
    return {**case, **changes}


def record(case: dict[str, Any]) -> dict[str, Any]:
    """A case file's content, as the engine gives it."""
    at_once = oracle.BY_DEFAULT.encode_ahead
    got = oracle.run(oracle.make_model(case), case, at_once)
    steps = []
    for step in got.steps:
        counters: dict[str, dict[str, float]] = {"f": {}, "p": {}, "steps": {}}
        for (kind, level), count in step.counters.items():
            counters[kind][str(level)] = count
        steps.append({"step": step.index, "counters": counters, "norms": step.norms})
    return {
        "case": case,
        "num_layers": got.num_levels,
        "hierarchy": [{str(i): level for i, level in enumerate(video)} for video in got.hierarchy],
        "signal": [[t, level, value, int(boundary)] for t, level, value, boundary in got.signals],
        "optimizer_steps": steps,
        "final": {name: list(values) for name, values in got.final.items()},
    }


@pytest.fixture(scope="module")
def small() -> str:
    """JSON of a case that agrees."""
    return json.dumps(record(small_case()))


def write(folder: Path, content: Any) -> str:
    path = folder / "case.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def scale(values: Any, key: Any, factor: float) -> None:
    values[key] *= factor


def first_norm(content: dict[str, Any]) -> tuple[dict[str, float], str]:
    norms = content["optimizer_steps"][1]["norms"]
    return norms, next(name for name, norm in norms.items() if norm > 1e-3)


ALTERATIONS = {
    "boundary moved": lambda c: c["hierarchy"][0]["0"].__setitem__(1, 19.75),
    "boundary of the upper level gone": lambda c: c["hierarchy"][0]["1"].pop(),
    "boundary of a signal": lambda c: c["signal"][5].__setitem__(3, 1 - c["signal"][5][3]),
    "signal": lambda c: scale(c["signal"][5], 2, 1 + 1e-6),
    "signal that is no number": lambda c: scale(c["signal"][5], 2, math.nan),
    "signal missing": lambda c: c["signal"].pop(5),
    "signal of another level": lambda c: c["signal"][5].__setitem__(1, 1),
    "gradient norm": lambda c: scale(*first_norm(c), 1 + 1e-4),
    "gradient norm that is no number": lambda c: scale(*first_norm(c), math.nan),
    "gradient that should not be": lambda c: c["optimizer_steps"][1]["norms"].pop(first_norm(c)[1]),
    "step missing": lambda c: c["optimizer_steps"].pop(),
    "step elsewhere": lambda c: scale(c["optimizer_steps"][0], "step", 2),
    "counter": lambda c: scale(c["optimizer_steps"][1]["counters"]["f"], "0", 2),
    "counter of a level that is not there": lambda c: c["optimizer_steps"][0]["counters"]["p"].update(
        {"2": 1}
    ),
    "losses": lambda c: scale(c["optimizer_steps"][1]["counters"]["steps"], "0", 2),
    "levels": lambda c: scale(c, "num_layers", 2),
    "parameter's norm": lambda c: scale(c["final"]["f.cls_token.weight"], 1, 1 + 1e-6),
    "parameter's sum": lambda c: scale(c["final"]["f.network.layers.1.linear2.weight"], 0, 1 + 1e-4),
    "parameter missing": lambda c: c["final"].pop("f.cls_token.weight"),
}


def test_a_case_agrees_with_itself(small, tmp_path, capsys):
    content = json.loads(small)
    assert content["num_layers"] == 2
    assert len(content["optimizer_steps"]) > 3
    assert {boundary for *_, boundary in content["signal"]} == {0, 1}
    assert oracle.main([write(tmp_path, small)]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["case", "agrees"]
    assert "signals 0.0e+00  gradient norms 0.0e+00  parameters 0.0e+00  boundaries agree" in line


@pytest.mark.parametrize(
    ("options", "engine", "schedule"),
    [
        ([], Streamer, Schedule()),
        (["--engine", "fast"], Streamer, Schedule()),
        (["--flush_losses", "2"], Streamer, Schedule(flush_losses=2)),
        (["--encode_ahead", "3", "--flush_losses", "1"], Streamer, Schedule(flush_losses=1, encode_ahead=3)),
        (["--engine", "plain"], PlainStreamer, None),
    ],
)
def test_options_choose_what_runs(options, engine, schedule, small, tmp_path, monkeypatch, capsys):
    made = []

    def make_model(case, schedule):
        model = original(case, schedule)
        made.append((type(model), schedule))
        return model

    original = oracle.make_model
    monkeypatch.setattr(oracle, "make_model", make_model)
    assert oracle.main([*options, write(tmp_path, small)]) == 0
    assert made == [(engine, schedule)]
    assert "agrees" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "plain", "--flush_losses", "2"], "--flush_losses has no effect with --engine plain"),
        (["--encode_ahead", "3", "--engine", "plain"], "--encode_ahead has no effect with --engine plain"),
        (["--flush_losses", "0"], "schedule.flush_losses must be at least 1, not 0"),
        (["--encode_ahead", "many"], "invalid int value: 'many'"),
        (["--engine", "slow"], "invalid choice: 'slow'"),
    ],
)
def test_options_without_effect_or_sense_are_refused(options, words, small, tmp_path, capsys):
    with pytest.raises(SystemExit) as refusal:
        oracle.main([*options, write(tmp_path, small)])
    assert refusal.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err.splitlines()[-1]


def test_the_engine_is_offered_no_snippets_of_the_next_video(monkeypatch):
    offered = []

    def offer(model, snippets, lane=0):
        offered.append(len(snippets))
        original(model, snippets, lane)

    original = Streamer.offer
    monkeypatch.setattr(Streamer, "offer", offer)
    case = small_case(reset_at=[5, 12], stream={"kind": "vectors", "n": 16, "seed": 6})
    oracle.run(oracle.make_model(case), case, at_once=3)
    assert offered == [3, 2, 3, 3, 1, 3, 1]


@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=list(ALTERATIONS))
def test_an_altered_case_disagrees(alter, small, tmp_path, capsys):
    content = json.loads(small)
    alter(content)
    assert oracle.main([write(tmp_path, content)]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["case", "DISAGREES"]


@pytest.mark.parametrize(
    "settings",
    [
        {"train": False},
        {"train": False, "optim": None, "args": {"feature_dim": 8, "init_layers": 3}},
        {"optim": None},
        {"reset_at": [5, 6, 20]},
        {"reset_at": None},
        {"args": {"feature_dim": 8, "init_layers": 2, "max_layers": 3, "force_fixed_buffer": True}},
        {"args": {"feature_dim": 8, "max_layers": 1}, "optim": {"optimize_every": 2}},
        {"optim": {"hgn_timescale": False, "hgn_reach": False, "optimize_every": 2, "alpha": 2, "lr": 1e-2}},
        {"args": {"feature_dim": 8, "distance_mode": "distance", "force_base_dist": True, "window_size": 3}},
        {"args": {"feature_dim": 8, "demarcation_mode": "fixed", "loss_threshold": 0.1, "modifier": 2.0}},
        {"args": {"feature_dim": 8, "snippet_size": 0.5, "frame_size": [128, 128], "dataset": "ego4d"}},
        {"args": {"feature_dim": 8, "optimize": False}},
        {"args": {}, "stream": {"kind": "vectors", "n": 3, "seed": 0}},
    ],
)
def test_cases_with_other_settings_run(settings, tmp_path):
    case = small_case(**settings)
    content = record(case)
    assert oracle.main([write(tmp_path, content)]) == 0
    ends = case.get("reset_at") or []
    assert len(content["hierarchy"]) == len(ends) + 1
    trains = case.get("train", True) and case["optim"] is not None and case["args"].get("optimize", True)
    assert bool(content["optimizer_steps"]) is bool(trains and case["stream"]["n"] > 3)


def test_a_case_of_images_with_one_level_runs(tmp_path):
    args = {"feature_dim": 8, "max_layers": 1, "normalize_imgs": True}
    case = small_case(stream={"kind": "images", "n": 2, "seed": 0}, args=args, optim={"optimize_every": 1})
    content = record(case)
    assert oracle.main([write(tmp_path, content)]) == 0
    assert "f.encoder.conv4.weight" in content["optimizer_steps"][0]["norms"]


def test_a_case_without_optim_learns_by_the_defaults():
    case = small_case()
    del case["optim"]
    model = oracle.make_model(case)
    assert model.learner is not None
    assert (model.config.learning.optimize_every, model.config.learning.lr) == (100, 1e-3)


def without(entry: str) -> dict[str, Any]:
    content = {"case": small_case(), "num_layers": 1, "hierarchy": [], "signal": []}
    content |= {"optimizer_steps": [], "final": {}}
    del content[entry]
    return content


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no JSON",
        [],
        3,
        "null",
        *map(without, ["case", "num_layers", "hierarchy", "signal", "optimizer_steps", "final"]),
        {**without("final"), "final": 3},
        {**without("case"), "case": {}},
        {**without("case"), "case": 5},
        {**without("case"), "case": {"stream": {"kind": "vectors"}}},
        {**without("case"), "case": small_case(args={"feature_dim": 12})},
        {**without("case"), "case": small_case(args={"demarcation_mode": "fixed"})},
        {**without("signal"), "signal": [[1, 2]]},
        {**without("optimizer_steps"), "optimizer_steps": [{"step": 3}]},
    ],
)
def test_a_file_that_is_no_case_is_told_in_one_line(content, tmp_path, capsys):
    path = write(tmp_path, content)
    assert oracle.main([path]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert line.startswith(path)


def test_a_missing_file_is_told_and_the_others_are_run(small, tmp_path, capsys):
    assert oracle.main([str(tmp_path / "absent.json"), write(tmp_path, small)]) == 2
    captured = capsys.readouterr()
    assert "No such file" in captured.err
    assert "agrees" in captured.out


def test_numbers_that_are_none_never_agree():
    assert oracle.relative(math.nan, 1.0) == math.inf
    assert oracle.relative(1.0, math.nan) == math.inf
    assert oracle.relative(1.5, 1.0) == 0.5
    assert oracle.relative(1.5, 1.0, scale=10.0) == 0.05
