"""The folder of a report: what lies where, and what may be replaced."""

from __future__ import annotations

import json
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from streamer.atomic import atomic_write, file_name
from streamer.errors import StreamerError

MARKER = "report.json"
PAGES = ("index.html", "video.html")


class ReportError(StreamerError):
    """A folder that cannot take a report."""


class ReportFolder:
    """Paths below the folder of one report.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.index = self.root / "index.html"
        self.assets = self.root / "assets"
        self.videos = self.root / "data" / "videos"
        self.neighbours = self.root / "data" / "neighbours"
        self.library = self.root / "data" / "library.js"
        self.thumbnails = self.root / "thumbnails"
        self._marker = self.root / MARKER

    def video(self, video_id: str) -> Path:
        """Data of a video's page."""
        return self.videos / f"{file_name(video_id)}.js"

    def neighbours_of(self, run: int, video_id: str) -> Path:
        """The nearest events of a video's events in the run of this number."""
        return self.neighbours / f"{run}-{file_name(video_id)}.js"

    def sheet(self, video_id: str) -> Path:
        """The thumbnails of a video."""
        return self.thumbnails / f"{file_name(video_id)}.jpg"

    def open(self) -> None:
        """Makes the folders; what is there already must be a report.

        Raises:
            ReportError: the folder holds something else, or cannot be made.
        """
        try:
            if self.root.exists() and not self._marker.is_file() and any(self.root.iterdir()):
                raise ReportError(f"{self.root}: holds something that is no report: choose another --out")
            for folder in (self.assets, self.videos, self.neighbours, self.thumbnails):
                folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._marker) as temporary:
                temporary.write_text(json.dumps({"kind": "streamer report"}) + "\n")
        except OSError as error:
            raise ReportError(
                f"{self.root}: cannot be made or written: {error.strerror}: choose another --out"
            ) from error

    def write_pages(self) -> None:
        """Writes pages, styles and scripts, the page that one opens last."""
        assets = files("pipelines.report") / "assets"
        names = sorted(file.name for file in assets.iterdir() if file.name not in PAGES)
        for name in [*names, *reversed(PAGES)]:
            target = (self.root if name in PAGES else self.assets) / name
            with atomic_write(target) as temporary:
                temporary.write_bytes((assets / name).read_bytes())
        _keep(self.assets, names)

    def remove_others(self, video_ids: Collection[str], runs: int) -> None:
        """Removes what an earlier report left of videos that are not shown any more."""
        names = [file_name(video_id) for video_id in video_ids]
        _keep(self.videos, {f"{name}.js" for name in names})
        _keep(self.neighbours, {f"{run}-{name}.js" for run in range(runs) for name in names})
        _keep(self.thumbnails, {f"{name}{end}" for name in names for end in (".jpg", ".strip.jpg", ".json")})


def _keep(folder: Path, names: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
