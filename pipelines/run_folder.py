"""The folder of a run: what lies where, and the two files that tell how the run went."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.catalog import CatalogEntry
from pipelines.snippets import VideoEnd
from streamer.atomic import atomic_write, file_name
from streamer.errors import StreamerError

RunState = Literal["running", "finished", "interrupted", "stopped", "failed"]
PACKAGES = ("streamer-ray", "torch", "ray", "mlflow", "av", "pyarrow", "numpy")
CHECKPOINT_FILE = "streamer.pt"
FINAL_CHECKPOINT = "final"
SUCCESS_FILE = "_SUCCESS"
VIDEOS_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("uri", pa.string()),
        ("kind", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("duration_s", pa.float64()),
        ("snippets", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("fps", pa.float64()),
        ("codec", pa.string()),
        ("split", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
    ]
)


class RunFolderError(StreamerError):
    """An output folder that cannot be used, or is not the folder of a run."""


@dataclass(frozen=True)
class VideoRow:
    """One row of `videos.parquet`: an input and how it ended.

    Attributes:
        entry: the input, as the catalog knows it.
        status: `done`, `failed`, or `skipped` (nothing to do here, or not reached).
        reason: why it is not `done`, or what is odd about a video that is.
        duration_s: seconds that were read; the declared duration where nothing was.
        snippets: number of snippets that were read.
    """

    entry: CatalogEntry
    status: Literal["done", "failed", "skipped"]
    reason: str | None
    duration_s: float | None
    snippets: int


class RunFolder:
    """Paths below the folder of one run.

    Args:
        root: the folder, absolute or relative to the working directory.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self.run_json = self.root / "run.json"
        self.videos = self.root / "videos.parquet"
        self.hierarchy = self.root / "hierarchy"
        self.trees = self.root / "trees"
        self.signals = self.root / "signals"
        self.checkpoints = self.root / "checkpoints"
        self.evaluation = self.root / "evaluation.parquet"
        self.figures = self.root / "figures"
        self.catalog = self.root / "catalog.parquet"
        self.success = self.root / SUCCESS_FILE

    @property
    def final_checkpoint(self) -> Path:
        """The model as it was when the run finished."""
        return self.checkpoints / FINAL_CHECKPOINT / CHECKPOINT_FILE

    def hierarchy_of(self, video_id: str) -> Path:
        """File of a video's events."""
        return self.hierarchy / f"{file_name(video_id)}.parquet"

    def tree_of(self, video_id: str) -> Path:
        """File of the tree in which a video's finest events were merged."""
        return self.trees / f"{file_name(video_id)}.parquet"

    def signals_of(self, video_id: str) -> Path:
        """File of a video's signals."""
        return self.signals / f"{file_name(video_id)}.parquet"

    def check_free(self) -> None:
        """Makes sure that a new run may be written here, without writing anything.

        Raises:
            RunFolderError: the folder holds parts of a run, is no folder, or cannot be written to.
        """
        try:
            there = self.root.exists()
        except OSError as error:
            raise RunFolderError(
                f"{self.root}: cannot be used: {error.strerror}: choose another --out"
            ) from error
        if there and not self.root.is_dir():
            raise RunFolderError(f"{self.root}: is a file, not a folder: choose another --out")
        taken = [path for path in (self.videos, self.hierarchy, self.checkpoints) if path.exists()]
        if taken:
            raise RunFolderError(
                f"{self.root}: holds {taken[0].name} of another run, but no run.json: choose another --out, "
                "or delete the folder"
            )
        parent = self.root
        while not parent.exists():
            parent = parent.parent
        if not parent.is_dir():
            raise RunFolderError(f"{self.root}: cannot be made, {parent} is a file: choose another --out")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise RunFolderError(
                f"{self.root}: cannot be written (no permission in {parent}): choose another --out"
            )

    def check_replaceable(self) -> None:
        """Makes sure that a new run may take the place of what is here.

        Raises:
            RunFolderError: the folder can be used for no run, or holds parts of a run without its `run.json`,
                and so perhaps something else.
        """
        if not self.run_json.exists():
            self.check_free()
            return
        self.read_run()

    def clear(self) -> dict[str, int]:
        """Removes what a run wrote here, and nothing else; the tracking store stays, and so its history.

        Returns:
            For each file or folder that was removed how many files it was.

        Raises:
            RunFolderError: something cannot be removed.
        """
        removed: dict[str, int] = {}
        # The marker and the description first: what is left after a crash is no run any more.
        for path in (self.success, self.run_json, self.videos, self.catalog, self.evaluation):
            if path.exists():
                removed[path.name] = 1
                self._remove(path)
        for path in (self.hierarchy, self.trees, self.signals, self.checkpoints, self.figures):
            if path.exists():
                removed[f"{path.name}/"] = sum(1 for file in path.rglob("*") if file.is_file())
                self._remove(path)
        return removed

    def _remove(self, path: Path) -> None:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise RunFolderError(
                f"{error.filename or path}: cannot be removed: {error.strerror}: choose another --out"
            ) from error

    def create(self) -> None:
        """Makes the folders."""
        try:
            for folder in (self.root, self.hierarchy):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"{self.root}: cannot be made: {error.strerror}: choose another --out"
            ) from error

    def check_writable(self) -> None:
        """Makes sure that results can be added to the run.

        Raises:
            RunFolderError: they cannot.
        """
        for path in (self.root, self.figures):
            if path.exists() and not os.access(path, os.W_OK | os.X_OK):
                raise RunFolderError(
                    f"{path}: cannot be written (no permission): make it writable, or give a copy of the run"
                )

    def write_run(self, state: RunState, facts: Mapping[str, Any]) -> None:
        """Writes `run.json`."""
        content = {"state": state, **facts}
        with atomic_write(self.run_json) as temporary:
            temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")

    def read_run(self) -> dict[str, Any]:
        """Reads `run.json`.

        Raises:
            RunFolderError: there is none, or it cannot be read.
        """
        try:
            content = json.loads(self.run_json.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunFolderError(f"{self.root}: holds no run.json: give the folder of a run") from error
        except OSError as error:
            raise RunFolderError(f"{self.run_json}: cannot be read ({error.strerror}): check it") from error
        except ValueError as error:  # no JSON, or no UTF-8
            raise RunFolderError(f"{self.run_json}: is not JSON ({error}): give another run") from error
        if not isinstance(content, dict):
            raise RunFolderError(f"{self.run_json}: does not describe a run: give another run")
        return content

    def write_videos(self, rows: Iterable[VideoRow]) -> None:
        """Writes `videos.parquet`, ordered by video id."""
        records = [_record(row) for row in sorted(rows, key=lambda row: row.entry.video_id)]
        with atomic_write(self.videos) as temporary:
            pq.write_table(pa.Table.from_pylist(records, schema=VIDEOS_SCHEMA), temporary)

    def read_videos(self) -> list[dict[str, Any]]:
        """Rows of `videos.parquet`.

        Raises:
            RunFolderError: there is no such file, or it cannot be read.
        """
        if not self.videos.exists():
            raise RunFolderError(f"{self.root}: holds no videos.parquet: give the folder of a finished run")
        try:
            with pq.ParquetFile(self.videos) as file:
                return file.read(columns=VIDEOS_SCHEMA.names).cast(VIDEOS_SCHEMA).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            detail = " ".join(str(error).split())
            raise RunFolderError(f"{self.videos}: cannot be read ({detail}): give another run") from error


def checkpoint_of(path: str | Path) -> Path:
    """The checkpoint file that `path` names: itself, or the final one of the run in that folder.

    Raises:
        RunFolderError: the folder holds no final checkpoint.
    """
    found = Path(path).absolute()
    if not found.is_dir():
        return found
    final = RunFolder(found).final_checkpoint
    if not final.exists():
        raise RunFolderError(f"{found}: holds no final checkpoint ({final}): give a finished run, or a file")
    return final


def end_row(entry: CatalogEntry, end: VideoEnd) -> VideoRow:
    """The row of a video that a worker has finished."""
    duration_s = end.duration_s if end.snippets else entry.duration_s
    return VideoRow(entry, end.status, end.reason, duration_s, end.snippets)


def unread_row(entry: CatalogEntry, reason: str | None = None) -> VideoRow:
    """The row of an input that no worker has read: by the catalog's word, or else skipped for `reason`."""
    if entry.status == "ready":
        return VideoRow(entry, "skipped", reason, entry.duration_s, 0)
    return VideoRow(entry, entry.status, entry.reason, entry.duration_s, 0)


def _record(row: VideoRow) -> dict[str, Any]:
    fields = {name: getattr(row.entry, name, None) for name in VIDEOS_SCHEMA.names}
    own = {"status": row.status, "reason": row.reason, "duration_s": row.duration_s, "snippets": row.snippets}
    return {**fields, **own}


def software() -> dict[str, str | None]:
    """Versions of what a run depends on, and the revision of the code where it lies in a git checkout."""
    found = {package: _version(package) for package in PACKAGES}
    return {"python": platform.python_version(), **found, "revision": _revision()}


def _version(package: str) -> str | None:
    """None where a package is not installed, as this one may be when it runs from its source folder."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        # An installed copy may lie inside a checkout of something else, whose revision says nothing.
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    return None


def _git(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - arguments of this file
        ["git", *arguments],  # noqa: S607 - git of the user's PATH
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
