"""Shares of the inputs for an array of tasks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.inputs import find_inputs
from pipelines.manifest import Source, read_manifest
from tests.cluster.manifests import PROJECT


def shares(inputs: Path, number: int, folder: Path) -> list[list[Source]]:
    """All shares, as the script writes them and `streamer segment` will read them."""
    found: list[list[Source]] = []
    for index in range(number):
        manifest = folder / f"{index}.csv"
        printed = run(str(inputs), str(index), str(number), str(manifest))
        content = read_manifest(str(manifest)) if int(printed.stdout) else []
        assert len(content) == int(printed.stdout)
        found.append(content)
    return found


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "cluster" / "slurm" / "share.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(PROJECT)})


def by_id(sources: list[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: source.video_id)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "day 1, evening").mkdir(parents=True)
    for name in ("a", "b", "ü", 'say "c"', "day 1, evening/d", "e", "f", "g"):
        (folder / f"{name}.mp4").touch()
    return folder


def test_every_video_is_in_exactly_one_share(videos: Path, tmp_path: Path) -> None:
    together = [source for share in shares(videos, 3, tmp_path) for source in share]
    assert by_id(together) == by_id(find_inputs([str(videos)]).sources)


def test_a_video_keeps_its_share_when_others_come(videos: Path, tmp_path: Path) -> None:
    before = shares(videos, 3, tmp_path)
    for number in range(5):
        (videos / f"0-{number}.mp4").touch()
    after = shares(videos, 3, tmp_path)
    for old, new in zip(before, after, strict=True):
        assert set(old) <= set(new)
    assert sum(map(len, after)) == sum(map(len, before)) + 5


def test_a_manifest_keeps_its_columns(videos: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("video_id,uri,split,start_s,end_s\nx,videos/a.mp4,test,1.5,2.25\n")
    assert shares(manifest, 1, tmp_path) == [[Source("x", str(videos / "a.mp4"), "test", 1.5, 2.25)]]


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    ended = run(str(tmp_path / "absent"), "0", "2", str(tmp_path / "0.csv"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "0.csv").exists()
