"""What can be asked of the `report` command."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.config import require


@dataclass
class ReportConfig:
    """Writes pages in which a run is looked at: its videos, their events, two runs side by side.

    Attributes:
        runs: folder of the run; a second one is shown beside it.
        out: folder of the pages; by default `report` in the first run. The same command again replaces what
            it wrote there and keeps thumbnails that are still right.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md). By default those that the run was scored against, or else those that it was
            given, or truth.csv or truth.parquet in an input folder of it.
    """

    runs: list[str]
    out: str | None = None
    truth: str | None = None

    def __post_init__(self) -> None:
        require(1 <= len(self.runs) <= 2, f"one run or two can be shown, not {len(self.runs)}: name fewer")
        require(self.out != "", "--out is empty: name the folder of the pages")
