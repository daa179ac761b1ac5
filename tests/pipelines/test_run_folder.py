"""The folder of a run: when it may be used, and the files that tell how the run went."""

import json
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import run_folder
from pipelines.run_folder import (
    VIDEOS_SCHEMA,
    RunFolder,
    RunFolderError,
    checkpoint_of,
    end_row,
    software,
    unread_row,
)
from pipelines.snippets import VideoEnd
from tests.pipelines.finished_run import entry, files_below


def refusal(root: Path) -> str:
    """The one line with which a folder is refused; asserts that nothing was written."""
    before = sorted(root.parent.rglob("*")) if root.parent.is_dir() else []
    with pytest.raises(RunFolderError) as caught:
        RunFolder(root).check_free()
    assert before == (sorted(root.parent.rglob("*")) if root.parent.is_dir() else [])
    message = str(caught.value)
    assert "\n" not in message
    assert "choose another --out" in message
    return message


def test_new_and_empty_folders_are_free_and_stay_as_they_are(tmp_path):
    RunFolder(tmp_path).check_free()
    RunFolder(tmp_path / "deep" / "er").check_free()
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path).check_free()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["videos.parquet", "hierarchy", "checkpoints"])
def test_folder_that_holds_parts_of_a_run(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).mkdir()
    assert f"holds {name} of another run, but no run.json" in refusal(tmp_path / "run")
    with pytest.raises(RunFolderError, match="but no run"):
        RunFolder(tmp_path / "run").check_replaceable()


def test_clearing_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    folder.write_run("running", {})
    (folder.hierarchy / "a.parquet").write_text("")
    (folder.hierarchy / "b.parquet").write_text("")
    folder.success.touch()
    for mine in ("notes.txt", "mlflow.db", "hierarchy.old"):
        (tmp_path / mine).write_text("mine")
    folder.check_replaceable()
    assert folder.clear() == {"_SUCCESS": 1, "run.json": 1, "hierarchy/": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hierarchy.old", "mlflow.db", "notes.txt"]
    assert folder.clear() == {}


def test_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file'}: is a file" in refusal(tmp_path / "file")
    assert f"{tmp_path / 'file'} is a file" in refusal(tmp_path / "file" / "run")


def test_folder_without_permission(tmp_path, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and access(path, mode))
    assert f"no permission in {tmp_path}" in refusal(tmp_path)
    assert f"no permission in {tmp_path}" in refusal(tmp_path / "deep" / "run")


def test_name_that_no_file_system_takes(tmp_path):
    assert "cannot be used" in refusal(tmp_path / ("a" * 300))


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "nowhere" / "deep")
    with pytest.raises(RunFolderError, match="cannot be made"):
        RunFolder(tmp_path / "run").create()


def test_places_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder("run")
    monkeypatch.chdir("/")
    folder.create()
    assert (tmp_path / "run" / "hierarchy").is_dir()


def test_state_of_the_run_comes_back(tmp_path):
    folder = RunFolder(tmp_path)
    facts = {"seed": 3, "config": {"out": "été", "path": Path("/x")}, "software": software()}
    folder.write_run("running", {})
    folder.write_run("finished", facts)
    assert folder.read_run() == {"state": "finished", **facts, "config": {"out": "été", "path": "/x"}}
    assert set(json.loads(folder.run_json.read_text())) == {"state", *facts}
    assert list(files_below(tmp_path)) == ["run.json"]


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b""])
def test_damaged_state(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"run\.json: .*give another run"):
        RunFolder(tmp_path).read_run()


def test_folder_that_is_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(RunFolderError, match="give the folder of a run"):
            RunFolder(root).read_run()
        with pytest.raises(RunFolderError, match="give the folder of a finished run"):
            RunFolder(root).read_videos()


ROWS = [
    end_row(entry("z", width=64, height=32, codec="h264"), VideoEnd("z", 40, 19.9, "done", "cut short")),
    end_row(entry("broken"), VideoEnd("broken", 3, 1.5, "failed", "breaks")),
    end_row(entry("unread"), VideoEnd("unread", 0, 0.0, "failed", "cannot be opened")),
    unread_row(entry("a/sound", status="skipped", reason="no video stream", duration_s=None)),
    unread_row(entry("bad", status="failed", reason="noise", duration_s=None, fps=None)),
    unread_row(entry("late", split="test", start_s=2.0, end_s=8.0), "interrupted"),
]


def test_every_input_is_a_row(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_videos(ROWS)
    assert pq.read_schema(folder.videos) == VIDEOS_SCHEMA
    rows = folder.read_videos()
    told = [(r["video_id"], r["status"], r["reason"], r["duration_s"], r["snippets"]) for r in rows]
    assert told == [
        ("a/sound", "skipped", "no video stream", None, 0),
        ("bad", "failed", "noise", None, 0),
        ("broken", "failed", "breaks", 1.5, 3),
        ("late", "skipped", "interrupted", 20.0, 0),
        ("unread", "failed", "cannot be opened", 20.0, 0),
        ("z", "done", "cut short", 19.9, 40),
    ]
    assert rows[3] | {"split": "test", "start_s": 2.0, "end_s": 8.0, "fps": 25.0} == rows[3]
    assert rows[5] | {"width": 64, "height": 32, "codec": "h264", "uri": "/data/z.mp4"} == rows[5]


def test_no_inputs_keep_the_schema(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_videos([])
    assert pq.read_schema(folder.videos) == VIDEOS_SCHEMA
    assert folder.read_videos() == []


@pytest.mark.parametrize("damage", ["noise", "columns", "folder"])
def test_damaged_videos(tmp_path, damage):
    folder = RunFolder(tmp_path)
    folder.write_videos(ROWS)
    if damage == "columns":
        pq.write_table(pq.read_table(folder.videos).drop_columns(["status"]), folder.videos)
    else:
        folder.videos.unlink()
        folder.videos.mkdir() if damage == "folder" else folder.videos.write_bytes(b"noise")
    with pytest.raises(RunFolderError, match="cannot be read") as caught:
        folder.read_videos()
    assert "\n" not in str(caught.value)


def test_checkpoint_of_a_run_and_of_a_file(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    with pytest.raises(RunFolderError, match="no final checkpoint"):
        checkpoint_of(folder.root)
    final = folder.checkpoints / "final" / "streamer.pt"
    final.parent.mkdir(parents=True)
    final.write_bytes(b"")
    assert checkpoint_of(folder.root) == final
    assert checkpoint_of(str(final)) == final
    assert checkpoint_of(tmp_path / "absent.pt") == tmp_path / "absent.pt"


def test_software_names_what_a_run_depends_on():
    versions = software()
    assert all(versions[package] for package in ("python", "streamer-ray", "torch", "ray", "mlflow"))


def test_a_package_that_is_not_installed_is_told_as_such(monkeypatch):
    monkeypatch.setattr(run_folder, "PACKAGES", ("torch", "no-such-package-of-ours"))
    assert software()["no-such-package-of-ours"] is None


@pytest.mark.parametrize("tracked", [True, False])
def test_revision_is_of_this_code_and_of_no_other(tmp_path, monkeypatch, tracked):
    """An installed copy below a checkout of something else has no revision of its own."""
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    code = tmp_path / "site" / "run_folder.py"
    code.parent.mkdir()
    code.write_text("")
    (tmp_path / "other").write_text("")
    for words in (["init"], ["add", "site" if tracked else "other"], ["commit", "-m", "m"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(run_folder, "__file__", str(code))
    assert bool(software()["revision"]) is tracked


def test_revision_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert software()["revision"] is None
