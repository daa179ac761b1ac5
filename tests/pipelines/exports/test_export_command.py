"""The command on whole runs: what is chosen, refused, written, left as it is, and told."""

import json
import os
from pathlib import Path

import av
import pytest
import webvtt
from rich.console import Console

from pipelines.annotations import read_truth
from pipelines.cli import main, parse
from pipelines.exports.clip_names import clip_names
from pipelines.exports.command import export
from pipelines.exports.config import ExportConfig
from pipelines.exports.selection import ExportError
from pipelines.run_folder import RunFolder, VideoRow
from pipelines.store import HierarchyStore
from streamer.errors import ConfigError, StreamerError, TruthError
from tests.pipelines.exports.material import HOSTILE
from tests.pipelines.finished_run import entry, files_below, make_hierarchy, make_run, write_truth
from tests.streamer.video.clips import constant_rate, encode, number_in

FORMATS = ["webvtt", "ffmetadata", "csv", "release", "elan", "otio"]
LEVELS = ((0.0, 0.5, 1.0, 1.5), (0.0, 1.0))
SECONDS = 2.0


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A run of two videos, one in a folder, that really are there."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_run("finished", {"started": "2026-01-02T03:04:05+00:00"})
    rows = []
    for name in ("a", "sub/b"):
        path = tmp_path / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        encode(path, constant_rate(50, 25))
        rows.append(VideoRow(entry(name, uri=str(path)), "done", None, SECONDS, 4))
        HierarchyStore(folder, {}, signals=False).write(make_hierarchy(name, LEVELS, SECONDS), [])
    rows.append(VideoRow(entry("broken"), "failed", "decoding breaks", 0.0, 0))
    folder.write_videos(rows)
    return folder


def told(folder: RunFolder, **options) -> tuple[int, str]:
    console = Console(width=400)
    with console.capture() as capture:
        code = export(ExportConfig(str(folder.root), **options), console)
    return code, capture.get()


def names(root: Path) -> list[str]:
    return sorted(files_below(root))


def test_every_format_has_a_folder_and_every_video_its_files(run):
    code, output = told(run, format=FORMATS)
    assert code == 0
    out = run.root / "exports"
    assert names(out) == sorted(
        [
            "csv/events.csv",
            *(
                f"{form}/{name}{end}"
                for form, end in (("release", ".json"), ("elan", ".eaf"), ("otio", ".otio"))
                for name in ("a", "sub%2Fb")
            ),
            *(
                f"{form}/{name}.L{level}{end}"
                for form, end in (("webvtt", ".vtt"), ("ffmetadata", ".ffmeta"))
                for name in ("a", "sub%2Fb")
                for level in (0, 1)
            ),
        ]
    )
    assert f"webvtt      4 files (4 written) in {out / 'webvtt'}" in output.splitlines()
    assert read_truth(out / "csv" / "events.csv").videos.keys() == {"a", "sub/b"}


def test_the_same_command_writes_only_what_differs(run, tmp_path):
    told(run, format=FORMATS)
    before = {path: path.stat().st_mtime_ns for path in (run.root / "exports").rglob("*.vtt")}
    content = files_below(run.root / "exports")
    assert "4 files (4 unchanged)" in told(run, format=FORMATS)[1]
    assert files_below(run.root / "exports") == content
    assert {path: path.stat().st_mtime_ns for path in before} == before
    truth = write_truth(tmp_path / "truth.csv", "a,scene,0,1,cut")
    assert "4 files (2 written, 2 unchanged)" in told(run, format=["webvtt"], truth=str(truth))[1]
    cues = webvtt.read(str(run.root / "exports" / "webvtt" / "a.L1.vtt"))
    assert [cue.text for cue in cues] == ["cut", "L1 e1 00:01.0"]


def test_videos_levels_and_folder_are_chosen(run, tmp_path):
    told(run, format=["webvtt", "csv"], videos=["sub/*"], levels=[1], out=str(tmp_path / "out"))
    assert names(tmp_path / "out") == ["csv/events.csv", "webvtt/sub%2Fb.L1.vtt"]
    assert not (run.root / "exports").exists()


def test_a_level_that_only_some_videos_have_is_written_for_those(run):
    HierarchyStore(run, {}, signals=False).write(make_hierarchy("a", LEVELS[:1], SECONDS), [])
    code, output = told(run, format=["webvtt", "release"], levels=[1])
    assert code == 0
    assert names(run.root / "exports") == ["release/sub%2Fb.json", "webvtt/sub%2Fb.L1.vtt"]
    assert "1 video without the chosen levels: a" in output


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"videos": ["c"]}, ExportError, "no video c with a hierarchy"),
        ({"videos": ["sub/bb"]}, ExportError, r"no video sub/bb with a hierarchy \(did you mean sub/b\?\)"),
        ({"videos": ["z*"]}, ExportError, r"no video z\* with a hierarchy"),
        (
            {"videos": ["broken"]},
            ExportError,
            r"video broken has no hierarchy, it is failed \(decoding breaks\)",
        ),
        ({"levels": [0, 2]}, ExportError, "no chosen video has a level 2: the levels are 0 to 1"),
        ({"clips": 7}, ExportError, "no chosen video has a level 7"),
        ({"truth": "nowhere.csv"}, TruthError, "no such truth file"),
        ({"out": "{file}/x"}, ExportError, "cannot be written: Not a directory"),
    ],
)
def test_refusals_write_nothing(run, tmp_path, options, error, message):
    (tmp_path / "file").write_text("")
    options = {key: str(tmp_path / "file" / "x") if key == "out" else value for key, value in options.items()}
    before = files_below(tmp_path)
    with pytest.raises(error, match=message) as caught:
        told(run, format=["webvtt"], **options)
    assert "\n" not in str(caught.value)
    assert files_below(tmp_path) == before


def test_what_means_nothing_names_no_event(run, tmp_path):
    frames = ["SIL"] * 15 + ["pour"] * 15
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("\n".join(frames) + "\n")
    assert told(run, format=["webvtt"], truth=str(tmp_path / "labels"), videos=["a"])[0] == 0
    cues = webvtt.read(str(run.root / "exports" / "webvtt" / "a.L1.vtt"))
    assert [cue.text for cue in cues] == ["L1 e0 00:00.0", "pour"]


def test_annotations_of_unknown_videos_are_refused(run, tmp_path):
    truth = write_truth(tmp_path / "truth.csv", "zz,scene,0,1,cut")
    with pytest.raises(TruthError, match="'zz'"):
        told(run, format=["csv"], truth=str(truth))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to export"),
        ({"clips": 0, "levels": [1]}, "--levels has no effect on clips"),
        ({"clips": 0, "truth": "t.csv"}, "--truth has no effect on clips"),
        ({"format": ["csv"], "closing": "release"}, "--closing release has no effect without"),
        ({"format": ["csv"], "levels": []}, "--levels is empty"),
        ({"format": ["csv"], "videos": []}, "--videos is empty"),
        ({"format": ["csv"], "levels": [-1]}, "--levels must be from 0 up"),
        ({"clips": -1}, "--clips must be a level from 0 up"),
        ({"format": ["csv"], "out": ""}, "--out is empty"),
    ],
)
def test_settings_without_effect_or_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ExportConfig("run", **options)


def test_a_run_without_hierarchies_is_refused(tmp_path):
    folder = make_run(tmp_path / "run", done=[], failed=["x"])
    with pytest.raises(ExportError, match="none of its 1 videos has a hierarchy"):
        told(folder, format=["csv"])
    with pytest.raises(StreamerError, match=r"holds no run.json"):
        told(RunFolder(tmp_path / "nowhere"), format=["csv"])


def test_a_damaged_hierarchy_costs_itself(run):
    run.hierarchy_of("a").write_bytes(b"PAR1")
    code, output = told(run, format=["webvtt", "csv"])
    assert code == 1
    assert "failed  a: " in output
    assert names(run.root / "exports" / "webvtt") == ["sub%2Fb.L0.vtt", "sub%2Fb.L1.vtt"]
    assert read_truth(run.root / "exports" / "csv" / "events.csv").videos.keys() == {"sub/b"}


def test_what_failed_is_told_on_a_line_each_whatever_it_is_called(tmp_path):
    ids = ["a\nb", "\x1b[31mred", *(f"[b]{index}" for index in range(8))]
    folder = make_run(tmp_path / "run", done=ids)
    for video_id in ids:
        folder.hierarchy_of(video_id).write_bytes(b"")
    code, output = told(folder, format=["webvtt"])
    assert code == 1
    lines = output.splitlines()
    assert lines[1:3] == [
        line for line in lines if line.startswith(("failed  \ufffd[31mred: ", "failed  [b]0: "))
    ]
    assert "\x1b" not in output
    assert lines[-1] == "and 2 more failed"
    assert len(lines) == 1 + 8 + 1


def test_recordings_that_are_gone_are_told_and_need_not_be_there(run, tmp_path):
    (tmp_path / "videos" / "a.mp4").unlink()
    code, output = told(run, format=["webvtt"])
    assert code == 0
    assert "1 recording not opened (gone, damaged or remote)" in output
    assert "not opened" not in told(run, format=["release"])[1]


def test_hostile_ids_stay_in_the_folder_and_are_no_markup(tmp_path):
    ids = [*HOSTILE, "../../up", "/root", ".hidden", "#[red]x[/red]"]
    folder = make_run(tmp_path / "run", done=ids)
    code, output = told(folder, format=FORMATS, out=str(tmp_path / "out"))
    assert code == 0
    assert len(names(tmp_path / "out" / "elan")) == len(ids)
    assert {path.parent.parent for path in (tmp_path / "out").rglob("*.*")} <= {tmp_path / "out"}
    assert "#[red]x[/red]" in output
    assert "\x1b" not in output
    assert len(output.splitlines()) == len(FORMATS) + 1
    for path in (tmp_path / "out" / "release").iterdir():
        json.loads(path.read_text())


def test_vectors_have_chapters_but_no_clips(tmp_path):
    folder = make_run(tmp_path / "run", done=["a"])
    folder.write_videos([VideoRow(entry("a", kind="vectors", fps=None, dim=8), "done", None, 20.0, 40)])
    code, output = told(folder, format=FORMATS, clips=1)
    assert code == 1
    assert "failed  a: is no video but vectors" in output
    assert len(names(folder.root / "exports" / "otio")) == 1


def frames(path: Path) -> list[int]:
    with av.open(str(path)) as file:
        return [number_in(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


def test_clips_of_a_level_sort_in_time_and_hold_their_frames(run):
    code, output = told(run, clips=1)
    assert code == 0
    folder = run.root / "exports" / "clips" / "a"
    found = sorted(folder.iterdir())
    assert [path.name for path in found] == [
        "L1_00000_00h00m00.000s_00h00m01.000s.mp4",
        "L1_00001_00h00m01.000s_00h00m02.000s.mp4",
    ]
    assert [frames(path) for path in found] == [list(range(25)), list(range(25, 50))]
    assert "clips       4 files (4 written)" in output


def test_names_of_clips_sort_in_time_over_hours():
    starts = [index * 700.0 for index in range(200)]
    found = clip_names(make_hierarchy("a", [starts], 200 * 700.0), 0)
    assert found == sorted(found)
    assert found[11] == "L0_00011_02h08m20.000s_02h20m00.000s.mp4"


def test_only_clips_that_are_missing_or_older_than_their_video_are_cut(run, tmp_path):
    told(run, clips=0)
    folder = run.root / "exports" / "clips" / "a"
    first, second, *_ = sorted(folder.iterdir())
    second.unlink()
    before = first.stat().st_mtime_ns
    assert "8 files (1 written, 7 unchanged)" in told(run, clips=0)[1]
    assert frames(second) == list(range(12, 25))
    assert first.stat().st_mtime_ns == before
    later = first.stat().st_mtime + 10
    os.utime(tmp_path / "videos" / "a.mp4", (later, later))
    assert "8 files (4 written, 4 unchanged)" in told(run, clips=0)[1]


def test_clips_of_former_events_are_removed_and_nothing_else(run):
    told(run, clips=0)
    told(run, clips=1)
    folder = run.root / "exports" / "clips" / "a"
    (folder / "L0_mine.mp4").write_text("")
    HierarchyStore(run, {}, signals=False).write(make_hierarchy("a", [(0.0, 0.5), (0.0,)], SECONDS), [])
    output = told(run, clips=0)[1]
    assert "8 files" not in output
    assert "3 clips of former events removed" in output
    assert [name[:8] for name in names(folder)] == [
        "L0_00000",
        "L0_00001",
        "L0_mine.",
        "L1_00000",
        "L1_00001",
    ]
    assert frames(sorted(folder.iterdir())[1]) == list(range(12, 50))


def test_a_broken_video_costs_its_own_clips(run, tmp_path):
    path = tmp_path / "videos" / "a.mp4"
    path.write_bytes(path.read_bytes()[:2000])
    code, output = told(run, clips=1)
    assert code == 1
    assert "failed  a: " in output
    assert len(names(run.root / "exports" / "clips" / "sub%2Fb")) == 2
    assert not list(run.root.rglob(".*"))


def test_from_the_command_line_lists_are_words(run, tmp_path, capsys):
    code = main(
        [
            "export",
            str(run.root),
            "--format",
            "webvtt",
            "csv",
            "--levels",
            "0",
            "1",
            "--out",
            str(tmp_path / "o"),
        ]
    )
    assert code == 0
    assert names(tmp_path / "o")[0] == "csv/events.csv"
    assert "webvtt      4 files" in capsys.readouterr().out
    assert main(["export", str(run.root), "--format", "csv", "--videos", "zz"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_lists_are_understood_in_every_spelling():
    for words in (
        ["--format", "csv", "elan", "--levels", "0", "2", "--videos", "a b", "x"],
        ["--format", "[csv,elan]", "--levels=[0,2]", "--videos", '["a b", "x"]'],
        ["--format=[csv, elan]", "--levels", "[0,2]", "--videos", "a b", "x"],
        ["--videos", "a b", "x", "--levels", "0", "2", "--format", "csv", "elan"],
    ):
        config = parse("export", ["run", *words])
        assert (config.format, config.levels, config.videos) == (["csv", "elan"], [0, 2], ["a b", "x"])
    assert parse("export", ["run", "--format=csv"]).format == ["csv"]
    assert parse("export", ["run", "--format", "csv", "--videos", "-5K", "[x]*"]).videos == ["-5K", "[x]*"]
    assert parse("bench", ["--lanes", "1", "8"]).lanes == [1, 8]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "avi"], "--format must be a list, each one of webvtt, "),
        (["--format", "csv", "--levels", "x"], "--levels must be a list, each a whole number"),
        (["--format"], "--format needs a value"),
    ],
)
def test_words_that_fit_no_list_are_refused_in_one_line(words, message, capsys):
    with pytest.raises(SystemExit):
        parse("export", ["run", *words])
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
