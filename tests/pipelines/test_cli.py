"""The command line: options, help, configuration files, and one line for whatever is wrong."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines.train
from pipelines import cli
from pipelines.cli import CONFIGS, main, parse
from pipelines.config import TrainConfig
from streamer import Streamer, StreamerConfig, save
from tests.pipelines.finished_run import files_below, make_run, write_truth
from tests.pipelines.tiny import DIM, tiny_config
from tests.streamer.video.clips import constant_rate, encode


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(words: Sequence[str]) -> int:
    """The exit code of a command, however it comes."""
    try:
        return main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


def refusal(capsys, *words: str) -> str:
    """The line on the error stream with which a command is refused."""
    assert call(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    return captured.err.strip()


TRAIN = ("train", "videos", "--out", "run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trian",), "unknown command trian (did you mean train?)"),
        ((*TRAIN, "--worker", "2"), "unknown option --worker (did you mean --workers?)"),
        ((*TRAIN, "--model.featur-dim", "8"), "(did you mean --model.feature_dim?)"),
        ((*TRAIN, "--model.learning.learning_rate=1"), "unknown option --model.learning.learning_rate"),
        ((*TRAIN, "-x"), "unknown option -x"),
        (("evaluate", "a", "b", "--truth", "t"), "unexpected word b"),
        (
            ("train", "a", "--out", "b", "--timescales", "2s", "10s", "60s"),
            "unexpected word 10s: divide lengths of --timescales by commas, as in 2s,10s,60s",
        ),
        ((*TRAIN, "--workers", "two"), "--workers must be a whole number, not two"),
        ((*TRAIN, "--workers", "1.5"), "--workers must be a whole number, not 1.5"),
        ((*TRAIN, "--workers", "null"), "--workers must be a whole number, not None"),
        ((*TRAIN, "--workers"), "--workers needs a value"),
        ((*TRAIN, "--workers", "0"), "--workers must be at least 1, not 0"),
        ((*TRAIN, "--sync", "sometimes"), "--sync must be one of gradients, parameters, not sometimes"),
        ((*TRAIN, "--signals=maybe"), "--signals must be true or false, not maybe"),
        ((*TRAIN, "--model", "none.yaml"), "--model must name a YAML file with its options, not none.yaml"),
        ((*TRAIN, "--model.learning.lr", "fast"), "--model.learning.lr must be a finite number, not fast"),
        ((*TRAIN, "--model.channels", "[1,2]"), "--model.channels must be a list of 4, each a whole number"),
        ((*TRAIN, "--model.feature_dim", "12"), "model.feature_dim must be a positive multiple of 8, not 12"),
        ((*TRAIN, "--model.demarcation.mode", "fixed"), "needs model.demarcation.threshold"),
        (
            (*TRAIN, "--model.distance", "distance", "--model.demarcation.mode", "accumulate"),
            "needs model.demarcation.threshold",
        ),
        (("train", "videos"), "--out must be given"),
        (("train", "--out", "run"), "inputs must be given"),
        (("segment", "videos", "--out", "run"), "--model must be given"),
        (("evaluate", "run"), "--truth must be given"),
        ((*TRAIN, "--out", ""), "--out is empty"),
        ((*TRAIN, "--config"), "--config needs a value"),
        ((*TRAIN, "--config", "absent.yaml"), "absent.yaml: cannot be read (No such file or directory)"),
        ((*TRAIN, "--config=."), ".: cannot be read (Is a directory)"),
    ],
)
def test_wrong_words(here, capsys, words, message):
    assert message in refusal(capsys, *words)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("worker: 2", "run.yaml: unknown key worker (did you mean workers?)"),
        (
            "model:\n  featur_dim: 8",
            "run.yaml: unknown key model.featur_dim (did you mean model.feature_dim?)",
        ),
        ("model: {demarcation: {treshold: 3}}", "(did you mean model.demarcation.threshold?)"),
        ("model.lr: 3", "unknown key model.lr"),
        ("config: other.yaml", "unknown key config"),
        ("1: 2", "unknown key 1"),
        ("model: 3", "run.yaml: model must hold options of its own, not 3"),
        ("model:", "run.yaml: model must hold options of its own, not None"),
        ("model: {learning: []}", "model.learning must hold options of its own, not []"),
        ("inputs: videos", "run.yaml: inputs must be a list, each text, not 'videos'"),
        ("workers: two", "--workers must be a whole number, not two"),
        ("workers:", "run.yaml: workers must be a whole number, not None"),
        ("workers: null\nseed: 1", "run.yaml: workers must be a whole number, not None"),
        ("workers: 0", "--workers must be at least 1, not 0"),
        ("truth: [a]", "truth must be text, not ['a']: write truth: \"a\""),
        ("timescales: [2, 10]", 'timescales must be text, not [2, 10]: write timescales: "2,10"'),
        ("timescales: 5", 'timescales must be text, not 5: write timescales: "5"'),
        ("model: {feature_dim: 12}", "model.feature_dim must be a positive multiple of 8, not 12"),
        ("model: {demarcation: {mode: fixed}}", "needs model.demarcation.threshold"),
        ("model: [", "run.yaml: is not YAML ("),
        ("a: b: c", "run.yaml: is not YAML ("),
        ("? [a]\n: b", "run.yaml: is not YAML ("),
        ("!!python/object:os.system {}", "run.yaml: is not YAML ("),
        ("", "run.yaml: holds no options"),
        ("just text", "run.yaml: holds no options"),
        ("- a", "run.yaml: holds no options"),
    ],
)
def test_wrong_configuration_file(here, capsys, content, message):
    (here / "run.yaml").write_text(content)
    assert message in refusal(capsys, *TRAIN, "--config", "run.yaml")
    assert [path.name for path in here.iterdir()] == ["run.yaml"]


def test_configuration_file_that_is_no_text(here, capsys):
    (here / "run.yaml").write_bytes(b"\xff\xfe\x00\x01")
    assert "run.yaml: is not YAML" in refusal(capsys, *TRAIN, "--config", "run.yaml")


def test_no_command(capsys):
    assert main([]) == 2
    assert capsys.readouterr().out == cli.overview()


def test_overview_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text == cli.overview()
    assert re.findall(r"^  (\w+) ", text, re.MULTILINE) == list(CONFIGS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"streamer \d+\.\d+\.\d+\n", capsys.readouterr().out)


def options(config: dict, prefix: str = "") -> list[str]:
    """Dotted names of all values of a nested configuration."""
    return [
        name
        for key, value in config.items()
        for name in (options(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key])
    ]


@pytest.mark.parametrize("command", CONFIGS)
def test_help_tells_every_option(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")
    assert call([command, "--help"]) == 0
    told = capsys.readouterr().out
    text = " ".join(told.split())
    for name, described in re.findall(r"^        (\w+): (\w+)", CONFIGS[command].__doc__ or "", re.MULTILINE):
        if not is_dataclass(get_type_hints(CONFIGS[command])[name]):
            option = rf"--{name} \S+(, --{name}\+ \S+)?"  # lists may also be added to
            assert re.search(rf"({option}|{name}) (\.\.\. )?{described}", text), name
    if command == "train":
        for name in options(asdict(StreamerConfig())):
            entry = re.search(rf"^  --model\.{re.escape(name)} .*\n(?:\s{{10,}}.*\n)+", told, re.MULTILINE)
            assert entry, name
            assert re.search(r"[a-z]{3}.*\(type: .*default: ", " ".join(entry[0].split()[2:])), name


def test_dashes_and_underscores_are_the_same():
    dashed = parse(
        "train", ["v", "--out", "o", "--max-failed", "3", "--model.feature-dim=16", "--sync-every=2"]
    )
    plain = parse(
        "train", ["v", "--out", "o", "--max_failed", "3", "--model.feature_dim=16", "--sync_every=2"]
    )
    assert dashed == plain
    assert (plain.max_failed, plain.model.feature_dim, plain.sync_every) == (3, 16, 2)


def test_values_keep_their_dashes():
    config = parse("train", ["--out=my-out", "--truth", "a-b.csv", "--", "--my-video.mp4"])
    assert (config.out, config.truth, config.inputs) == ("my-out", "a-b.csv", ["--my-video.mp4"])


def test_values_that_look_like_yaml_stay_text():
    config = parse("train", ["1", "[a]", "null", "--out", "2024"])
    assert (config.inputs, config.out) == (["1", "[a]", "null"], "2024")


@pytest.mark.parametrize("last", [True, False])
def test_command_line_overrides_the_file_wherever_it_is_named(here, last):
    (here / "run.yaml").write_text("inputs: [x]\nout: from_file\nworkers: 3\nmodel: {max_levels: 2}\n")
    words = ["v", "--workers", "2", "--model.feature_dim", "16"]
    words = [*words, "--config", "run.yaml"] if last else ["--config=run.yaml", *words]
    config = parse("train", words)
    assert (config.inputs, config.out, config.workers) == (["v"], "from_file", 2)
    assert (config.model.max_levels, config.model.feature_dim) == (2, 16)


def test_file_alone_is_enough(here):
    (here / "run.yaml").write_text("inputs: [x, y]\nout: o\n")
    assert parse("train", ["--config", "run.yaml"]) == TrainConfig(["x", "y"], "o")


def test_later_files_override_earlier_ones(here):
    (here / "one.yaml").write_text("out: one\nworkers: 3\n")
    (here / "two.yaml").write_text("out: two\n")
    config = parse("train", ["v", "--config", "one.yaml", "--config", "two.yaml"])
    assert (config.out, config.workers) == ("two", 3)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8
    ).filter(lambda text: not text.startswith("-")),
    lr=st.floats(1e-9, 1e3),
    workers=st.integers(1, 9),
    mode=st.sampled_from(["fixed", "average"]),
    threshold=st.floats(-1, 1),
    signals=st.booleans(),
)
def test_printed_configuration_is_read_back(tmp_path, capsys, text, lr, workers, mode, threshold, signals):
    words = [text, "v", "--out", text, "--model.learning.lr", repr(lr), "--workers", str(workers)]
    words += ["--signals", str(signals).lower(), "--model.demarcation.mode", mode, "--truth", "t.csv"]
    words += [f"--model.demarcation.threshold={threshold!r}"] if mode == "fixed" else []
    assert call(["train", *words, "--print_config"]) == 0
    printed = capsys.readouterr().out
    path = tmp_path / "run.yaml"
    path.write_text(printed, encoding="utf-8")
    assert isinstance(yaml.safe_load(printed), dict)
    assert parse("train", ["--config", str(path)]) == parse("train", words)


def test_ctrl_c_is_told_in_a_word(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_fault_of_the_software_is_not_hidden(monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_module_is_the_command_and_help_imports_neither_ray_nor_mlflow():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['pipelines', '--help']\n"
        "try:\n"
        "    runpy.run_module('pipelines', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0\n"
        "heavy = {'ray', 'mlflow', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == cli.overview()


@pytest.fixture
def data(here, monkeypatch) -> Path:
    """A folder with vectors, damaged videos, annotations and checkpoints beside; Ray may not be started."""
    monkeypatch.setattr(pipelines.train, "ray_session", None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("vectors", "damaged", "empty", "both"):
        (here / name).mkdir()
    for name in "ab":
        np.save(here / "vectors" / f"{name}.npy", np.zeros((9, DIM), np.float32))
    (here / "damaged" / "noise.mp4").write_bytes(b"noise" * 99)
    encode(here / "clip.mp4", constant_rate(10, 10))
    shutil.copy(here / "clip.mp4", here / "both")
    shutil.copy(here / "vectors" / "a.npy", here / "both")
    (here / "columns.csv").write_text("video_id,begin,end_s,label\na,0,1,x\n")
    write_truth(here / "unknown.csv", "a,scene,0,1,x", "c,scene,0,1,x", "dd,scene,0,1,x")
    write_truth(here / "strangers.csv", "c,scene,0,1,x", "dd,scene,0,1,x")
    save(Streamer(tiny_config(working_set_size=7)), here / "other.pt")
    save(Streamer(tiny_config()), here / "vectors.pt")
    save(Streamer(tiny_config(feature_dim=16)), here / "wide.pt")
    save(Streamer(tiny_config(modality="frames", frame_size=16, channels=(2, 2, 2, 2))), here / "frames.pt")
    make_run(here / "held")
    return here


VECTORS = ("train", "vectors", "--out", "run", "--model.feature_dim", str(DIM))


@pytest.mark.parametrize(
    ("words", "fresh", "signals"),
    [
        ((), False, True),
        (("--fresh",), True, True),
        (("--fresh", "--signals", "false"), True, False),
        (("--signals", "false", "--fresh"), True, False),
        (("--fresh", "true", "--signals"), True, True),
        (("--fresh=false", "--signals=false"), False, False),
        (("--fresh", "--seed", "3"), True, True),
    ],
)
def test_switches_need_no_value(words, fresh, signals):
    for order in (("videos", "--out", "run", *words), (*words, "videos", "--out", "run")):
        config = parse("train", order)
        assert (config.inputs, config.fresh, config.signals) == (["videos"], fresh, signals)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "empty", "--out", "run"), "empty: in folders"),
        (("train", "absent", "--out", "run"), "absent: no such file or folder"),
        (("train", "damaged", "--out", "run"), "none of 1 inputs can be read"),
        (("train", "both", "--out", "run"), "both vectors and video"),
        (("train", "vectors", "--out", "held"), "held: holds a run of"),
        (("train", "vectors", "--out", "clip.mp4"), "clip.mp4: is a file"),
        (("train", "vectors", "--out", "clip.mp4/run"), "clip.mp4 is a file"),
        (("train", "vectors", "--out", "run"), "vectors of 8 numbers, but model.feature_dim is 256"),
        (("train", "clip.mp4", "--out", "run", "--model.modality", "vectors"), "but the inputs are videos"),
        ((*VECTORS, "--truth", "columns.csv"), "columns.csv: lacks the columns level, start_s"),
        ((*VECTORS, "--truth", "unknown.csv"), "unknown.csv: 2 of 3 video_ids are unknown: 'c', 'dd'"),
        ((*VECTORS, "--truth", "absent.csv"), "absent.csv: no such truth file"),
        ((*VECTORS, "--init", "other.pt"), "these differ: "),
        ((*VECTORS, "--init", "other.pt"), "model.working_set_size"),
        ((*VECTORS, "--init", "absent.pt"), "absent.pt: no such checkpoint"),
        ((*VECTORS, "--init", "unknown.csv"), "unknown.csv: not a checkpoint"),
        ((*VECTORS, "--init", "held"), "holds no final checkpoint"),
        (("segment", "vectors", "--out", "run", "--model", "absent.pt"), "absent.pt: no such checkpoint"),
        (("segment", "vectors", "--out", "held", "--model", "vectors.pt"), "held: holds a run of"),
        (
            ("segment", "clip.mp4", "--out", "run", "--model", "vectors.pt"),
            "vectors, but the inputs are videos",
        ),
        (("segment", "empty", "--out", "run", "--model", "vectors.pt"), "empty: in folders"),
        (("segment", "vectors", "--out", "run", "--model", "wide.pt"), "but the model takes 16: give other"),
        (("evaluate", "empty", "--truth", "unknown.csv"), "empty: holds no run.json"),
        (("evaluate", "held", "--truth", "columns.csv"), "columns.csv: lacks the columns level, start_s"),
        (("evaluate", "held", "--truth", "strangers.csv"), "2 of 2 video_ids are unknown: 'c', 'dd'"),
    ],
)
def test_unusable_data(data, capsys, words, message):
    before = files_below(data)
    assert call(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert files_below(data) == before
    assert not (data / "run").exists()


def test_folder_that_may_not_be_written(data, capsys, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != data and access(path, mode))
    assert f"{data / 'run'}: cannot be written (no permission in {data})" in refusal(capsys, *VECTORS)
    assert not (data / "run").exists()
