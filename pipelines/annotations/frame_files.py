"""Annotations that come as a text file per video and count in frames.

A file holds either one label per line, for each frame in turn, or one row per event. Neither says how many
frames a second has, so a file is read only when it is certain which dataset it belongs to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipelines.annotations.oddities import Oddities, order_notes
from pipelines.annotations.truth import Truth
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment

LEVEL = "action"
SUFFIXES = (".txt", "")
"""Suffixes of the files of a folder that are read; some releases leave it away."""

_LABEL = re.compile(r"[A-Za-z_][\w.+\-]*")


@dataclass(frozen=True)
class FrameDataset:
    """What is known of a dataset.

    Attributes:
        name: its name.
        fps: frames per second that its annotations count.
        background: labels that mean that nothing is annotated.
        file_name: what its files are called, without suffix; this is also the id of the video.
        row: a row of an event, with groups first, last (frames from 1, inclusive) and label.
        form: what its files look like, for messages.
    """

    name: str
    fps: float
    background: frozenset[str]
    file_name: re.Pattern[str]
    row: re.Pattern[str]
    form: str


def read_frame_file(path: Path, datasets: Sequence[FrameDataset]) -> Truth:
    """Reads the annotations of one video, as one level `action`.

    Lines that are no label or row, and rows that end before they begin, are left out; so every other frame
    keeps its time.

    Args:
        path: a text file, called as the video is.
        datasets: those that it may belong to.

    Returns:
        The annotations; events of background labels are among them.

    Raises:
        TruthError: the file is unreadable, holds no events, or belongs to none of the datasets for certain.
    """
    oddities = Oddities()
    dataset, events = _read(path, datasets, oddities)
    return _truth(path, {path.stem: events}, dataset, oddities)


def read_frame_folder(path: Path, datasets: Sequence[FrameDataset]) -> Truth:
    """Reads the annotations of many videos, from the text files in a folder and in those below it.

    A file that cannot be read, or belongs to none of the datasets, costs itself alone.

    Args:
        path: the folder.
        datasets: those of which it may be.

    Returns:
        The annotations.

    Raises:
        TruthError: the folder holds no such file, files of several datasets, or two files of one name that
            differ.
    """
    oddities = Oddities()
    videos: dict[str, list[LabelledSegment]] = {}
    found: dict[FrameDataset, Path] = {}
    places: dict[str, Path] = {}
    for file in _files(path, oddities):
        try:
            dataset, events = _read(file, datasets, oddities)
        except TruthError as error:
            reason = str(error).removeprefix(f"{file}: ")
            oddities.add("file", "left out", f"{file.relative_to(path)}: {reason}")
            continue
        found.setdefault(dataset, file)
        first = places.setdefault(file.stem, file)
        if videos.setdefault(file.stem, events) != events:
            raise TruthError(
                f"{path}: {first.relative_to(path)} and {file.relative_to(path)} annotate one video "
                "differently; name the folder of one of them"
            )
    if not found:
        raise TruthError(
            f"{path}: holds no annotations of the datasets that come as folders ({_looked_for(datasets)}); "
            f"found {oddities.first() or 'no file'}; name another folder, or one file of another dataset"
        )
    if len(found) > 1:
        named = " and ".join(f"{file.relative_to(path)} of {dataset.name}" for dataset, file in found.items())
        raise TruthError(f"{path}: holds {named}; name a folder of one dataset")
    return _truth(path, videos, next(iter(found)), oddities)


def _truth(
    path: Path, videos: dict[str, list[LabelledSegment]], dataset: FrameDataset, oddities: Oddities
) -> Truth:
    levels = {video_id: {LEVEL: events} for video_id, events in videos.items()}
    notes = (*oddities.notes(), *order_notes(levels))
    return Truth(path, levels, dataset.background, notes, dataset.name)


def _files(folder: Path, oddities: Oddities) -> list[Path]:
    files: list[Path] = []

    def note(error: OSError) -> None:
        oddities.add("folder", "left out: it cannot be listed", str(error.filename))

    for current, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                files.append(Path(current, name))
            else:
                oddities.add("file", "of another kind left alone", name)
    return files


def _read(
    path: Path, datasets: Sequence[FrameDataset], oddities: Oddities
) -> tuple[FrameDataset, list[LabelledSegment]]:
    """The dataset that a file belongs to, and its events."""
    lines = _lines(path)
    dataset, has_rows = _dataset_of(path, lines, datasets)
    read = _events_of_rows if has_rows else _events_of_frames
    events = read(path.name, lines, dataset, oddities)
    if not events:
        raise TruthError(f"{path}: holds no events of {dataset.name}; download it again")
    return dataset, events


def _lines(path: Path) -> list[str]:
    """Lines without surrounding blanks; those at the end that are empty are left out."""
    try:
        # Not splitlines, which also ends lines where no editor does.
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise TruthError(f"{path}: is empty; download it again")
    return lines


def _dataset_of(
    path: Path, lines: Sequence[str], datasets: Sequence[FrameDataset]
) -> tuple[FrameDataset, bool]:
    """The dataset that a file belongs to for certain, and whether it has rows rather than frames."""
    first = next(line for line in lines if line)
    for dataset in datasets:
        if dataset.row.fullmatch(first):
            return dataset, True
    if not _LABEL.fullmatch(first):
        shown = first if len(first) <= 40 else f"{first[:40]}..."
        raise TruthError(
            f"{path}: is no known format of annotations: {_looked_for(datasets)}; found {shown!r}"
        )
    labels = set(lines)
    by_label = [dataset for dataset in datasets if dataset.background & labels]
    by_name = [dataset for dataset in datasets if dataset.file_name.fullmatch(path.stem)]
    possible = list(dict.fromkeys([*by_label, *by_name]))
    if not possible:
        raise TruthError(
            f"{path}: has a label per line, but of an unknown dataset, so how many frames make a second is "
            f"unknown too: {_looked_for(datasets)}; write video_id,level,start_s,end_s,label instead"
        )
    if len(possible) > 1:
        names = " or ".join(dataset.name for dataset in possible)
        raise TruthError(f"{path}: could be of {names} by its labels and its name; correct one of them")
    return possible[0], False


def _looked_for(datasets: Sequence[FrameDataset]) -> str:
    return "; ".join(f"{dataset.name} has {dataset.form}" for dataset in datasets)


def _events_of_rows(
    name: str, lines: Sequence[str], dataset: FrameDataset, oddities: Oddities
) -> list[LabelledSegment]:
    events: list[LabelledSegment] = []
    for number, line in enumerate(lines, start=1):
        row = dataset.row.fullmatch(line)
        place = f"{name}, line {number}"
        if row is None:
            if line:
                oddities.add("line", "left out: it is no row of an event", place)
            continue
        first, last = int(row["first"]), int(row["last"])
        if first < 1:
            oddities.add("row", "left out: frames count from 1", place)
        elif last < first:
            oddities.add("row", "left out: its last frame is before its first", place)
        else:
            events.append(((first - 1) / dataset.fps, last / dataset.fps, row["label"]))
    return events


def _events_of_frames(
    name: str, lines: Sequence[str], dataset: FrameDataset, oddities: Oddities
) -> list[LabelledSegment]:
    events: list[LabelledSegment] = []
    frame = 0
    for label, run in groupby(lines):
        first, frame = frame, frame + sum(1 for _ in run)
        if _LABEL.fullmatch(label):
            events.append((first / dataset.fps, frame / dataset.fps, label))
        else:
            oddities.add("gap", "of frames without a label", f"{name}, line {first + 1}")
    return events
