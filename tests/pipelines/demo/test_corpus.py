"""The rendered corpus: files, truth, determinism and what a second call does."""

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import av
import pandas as pd
import pytest

from pipelines.demo.corpus import render_corpus
from streamer.errors import ConfigError

SMALL = {"videos": 2, "seconds": 6.0, "size": (160, 96), "fps": 15}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    render_corpus(folder, **SMALL, workers=1)
    return folder


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def spans(folder: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    found = defaultdict(list)
    for video, level, start, end, _ in pd.read_csv(folder / "truth.csv").to_numpy().tolist():
        found[video, level].append((start, end))
    return dict(found)


def test_truth_has_every_level_of_every_video_finest_first(corpus):
    truth = pd.read_csv(corpus / "truth.csv")

    assert list(truth.columns) == ["video_id", "level", "start_s", "end_s", "label"]
    assert {f"{name}.mp4" for name in truth.video_id} == {path.name for path in (corpus / "videos").iterdir()}
    for _, rows in truth.groupby("video_id"):
        assert list(dict.fromkeys(rows.level)) == ["motion", "activity", "scene"]
    assert truth.label.str.len().min() > 0


def test_truth_tiles_each_video_and_is_nested(corpus):
    found = spans(corpus)
    for video in {video for video, _ in found}:
        levels = [found[video, level] for level in ("motion", "activity", "scene")]
        for events in levels:
            assert events[0][0] == 0.0
            assert all(before[1] == after[0] for before, after in pairwise(events))
            assert all(start < end for start, end in events)
        for fine, coarse in pairwise(levels):
            assert {end for _, end in coarse} < {end for _, end in fine}
            assert coarse[-1][1] == fine[-1][1]


def test_files_are_h264_and_last_as_long_as_the_truth(corpus):
    for (video, _), events in spans(corpus).items():
        with av.open(str(corpus / "videos" / f"{video}.mp4")) as container:
            stream = container.streams.video[0]
            times = [frame.time for frame in container.decode(stream)]
            assert stream.codec_context.name == "h264"
            assert stream.codec_context.pix_fmt == "yuv420p"
            assert (stream.width, stream.height) == SMALL["size"]
            assert stream.codec_context.has_b_frames
            assert float(stream.duration * stream.time_base) == pytest.approx(events[-1][1], abs=1e-5)
            assert container.duration / 1e6 == pytest.approx(events[-1][1], abs=1e-5)
        assert times == pytest.approx([number / 15 for number in range(round(events[-1][1] * 15))], abs=1e-4)


def test_processes_and_order_do_not_change_the_corpus(corpus, tmp_path):
    seen = []
    render_corpus(tmp_path, **SMALL, workers=2, progress=lambda done, total: seen.append((done, total)))

    assert {name: data for name, (_, data) in contents(tmp_path).items()} == {
        name: data for name, (_, data) in contents(corpus).items()
    }
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_complete_corpus_is_left_alone(corpus):
    before = contents(corpus)
    seen = []
    render_corpus(corpus, **SMALL, workers=1, progress=lambda done, total: seen.append((done, total)))

    assert contents(corpus) == before
    assert seen == [(2, 2)]


@pytest.mark.parametrize("damage", ["missing video", "cut truth", "damaged record"])
def test_incomplete_corpus_is_redone(tmp_path, damage):
    options = {**SMALL, "videos": 1, "seconds": 3.0, "workers": 1}
    render_corpus(tmp_path, **options)
    before = {name: data for name, (_, data) in contents(tmp_path).items()}
    if damage == "missing video":
        next((tmp_path / "videos").iterdir()).unlink()
    elif damage == "cut truth":
        (tmp_path / "truth.csv").write_text("video_id,level\n")
    else:
        (tmp_path / "corpus.json").write_text('{"seed": ')

    render_corpus(tmp_path, **options)

    assert {name: data for name, (_, data) in contents(tmp_path).items()} == before


def test_other_parameters_replace_the_old_videos_and_nothing_else(tmp_path):
    options = {**SMALL, "seconds": 3.0, "workers": 1}
    render_corpus(tmp_path, **{**options, "videos": 3})
    (tmp_path / "videos" / "mine.mp4").write_bytes(b"kept")
    (tmp_path / "notes.txt").write_text("kept")
    truth = (tmp_path / "truth.csv").read_text()

    render_corpus(tmp_path, **{**options, "videos": 1}, seed=1)

    names = set(pd.read_csv(tmp_path / "truth.csv").video_id)
    assert {path.stem for path in (tmp_path / "videos").iterdir()} == names | {"mine"}
    assert (tmp_path / "notes.txt").read_text() == "kept"
    assert (tmp_path / "truth.csv").read_text() != truth


def test_record_cannot_remove_files_elsewhere(tmp_path):
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"kept")
    folder = tmp_path / "corpus"
    folder.mkdir()
    names = ["videos/../../outside.mp4", "../outside.mp4", str(outside)]
    (folder / "corpus.json").write_text(json.dumps({"files": dict.fromkeys(names, 4)}))

    render_corpus(folder, **{**SMALL, "videos": 1, "seconds": 3.0}, workers=1)

    assert outside.read_bytes() == b"kept"


@pytest.mark.parametrize(
    "wrong",
    [
        {"videos": 0},
        {"seconds": 1.0},
        {"seconds": float("nan")},
        {"size": (161, 96)},
        {"fps": 0},
        {"seed": -1},
        {"size": (16, 16)},
    ],
)
def test_impossible_parameters_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(ConfigError, match="demo corpus"):
        render_corpus(tmp_path / "corpus", **{**SMALL, **wrong})
    assert not (tmp_path / "corpus").exists()
