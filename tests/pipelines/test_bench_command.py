"""The bench command: what it hands to the benchmarks, what it writes, and what it needs."""

import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import engine
from pipelines.bench import BenchConfig, bench
from streamer.errors import ConfigError

TABLE = [{"model": "plain", "ms": 1.5}]


@pytest.fixture
def asked(monkeypatch) -> list[engine.Options]:
    """What was to be measured; nothing is."""
    asked: list[engine.Options] = []

    def run(options, show):
        asked.append(options)
        show("a table", TABLE)
        return [{"setting": "one", "speed": TABLE}]

    monkeypatch.setattr(engine, "run", run)
    return asked


def test_defaults_are_those_of_the_benchmark(asked):
    assert bench(BenchConfig(), Console(quiet=True)) == 0
    assert asked == [engine.Options()]


def test_options_arrive(asked):
    config = BenchConfig(
        models="small",
        video="a.mp4",
        only="training",
        lanes=[2, 3],
        bf16_lanes=[],
        repetitions=7,
        threads=1,
        quick=True,
        profile=True,
        device="cuda",
    )
    assert bench(config, Console(quiet=True)) == 0
    assert asked == [
        engine.Options(
            models=("small",),
            video=Path("a.mp4"),
            only="training",
            lanes=(2, 3),
            bf16_lanes=(),
            repetitions=7,
            threads=1,
            quick=True,
            profile=True,
            device="cuda",
        )
    ]


def test_tables_are_printed_and_all_figures_written(asked, tmp_path, capsys):
    path = tmp_path / "b.json"
    assert bench(BenchConfig(json=str(path)), Console(width=80)) == 0
    output = capsys.readouterr().out
    assert "a table" in output
    assert "plain" in output
    results = json.loads(path.read_text())
    assert results["engine"] == [{"setting": "one", "speed": TABLE}]
    assert "processor" in results["machine"]


def test_a_folder_that_is_missing_is_told_before_anything_is_measured(asked, tmp_path):
    path = tmp_path / "none" / "b.json"
    with pytest.raises(ConfigError, match=r"there is no folder .*none: make it"):
        bench(BenchConfig(json=str(path)), Console(quiet=True))
    assert asked == []


def test_a_file_that_cannot_be_written_is_told(asked, tmp_path):
    (tmp_path / "b.json").mkdir()
    with pytest.raises(ConfigError, match=r"b\.json: .*name another file"):
        bench(BenchConfig(json=str(tmp_path / "b.json")), Console(quiet=True))


@pytest.mark.parametrize("missing", ["benchmarks", "tests.plain"])
def test_without_the_source_code_it_says_what_to_do(monkeypatch, missing):
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith(missing)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=r"clone the repository and `pip install --editable \.`") as caught:
        bench(BenchConfig(), Console(quiet=True))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lanes": []}, "--lanes is empty"),
        ({"lanes": [1, 0]}, "--lanes must all be at least 1"),
        ({"bf16_lanes": [0]}, "--bf16_lanes must all be at least 1"),
        ({"repetitions": 0}, "--repetitions must be at least 1, not 0"),
        ({"threads": -1}, "--threads must be at least 1, not -1"),
    ],
)
def test_values_that_cannot_be_measured_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        BenchConfig(**values)
