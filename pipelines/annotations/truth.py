"""Annotated events of a set of videos, whatever file they come from."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.annotations.matching import match_videos
from pipelines.wording import counted
from streamer.errors import TruthError
from streamer.metrics import LabelledSegment

NAMED_AT_MOST = 5
"""How many videos a message names before it only counts."""

ROUNDING_S = 1e-3
"""Annotations are commonly stored to the millisecond, durations in the ticks of a container."""


@dataclass(frozen=True)
class Truth:
    """Annotations of a set of videos.

    Attributes:
        path: the file or folder they were read from.
        videos: per video_id, per level name (order of the file), events as (start, end, label) in seconds
            and in the order of the file. A level may have gaps and overlaps; events may reach past the
            end of their video.
        background: labels that mean that nothing is annotated there, such as Breakfast's SIL.
        notes: what was odd in the files, one line each.
        dataset: the dataset whose own format the files have; None for this project's format, whose rows
            are written for one run and may name no other video.
    """

    path: Path
    videos: dict[str, dict[str, list[LabelledSegment]]]
    background: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    dataset: str | None = None

    def for_videos(self, known_ids: Collection[str]) -> Truth:
        """The annotations of the videos of a run, under the ids that they have there.

        Ids are matched exactly, else by the name of the file (`P01_11` is `P01/videos/P01_11`), else by
        folders and name joined (`P16_cam01_P16_tea` is `P16/cam01/P16_tea`); see `matching.py`. A dataset
        annotates more videos than a run has, so others are left out and counted in `notes`; in this
        project's format an unknown video is a typing error.

        Args:
            known_ids: the video_ids of the run.

        Returns:
            Annotations whose video_ids are all among the known ones.

        Raises:
            TruthError: an annotated video could be several of the known ones, several annotated videos
                are the same known one, an unknown video is annotated in this project's format, or a
                dataset annotates none of the known videos.
        """
        found = match_videos(self.videos, known_ids, self.path)
        if self.dataset is None:
            self._refuse_unknown([name for name in self.videos if name not in found], known_ids)
        if not found:
            raise TruthError(
                f"{self.path}: annotates none of the {counted(len(known_ids), 'video')}: they are called "
                f"{_some(sorted(known_ids))}, those of {self.dataset} {_some(self.videos)}; name the "
                "folder as it was downloaded, or other annotations"
            )
        videos = {known_id: self.videos[name] for name, ids in found.items() for known_id in ids}
        return replace(self, videos=videos, notes=(*self.notes, *self._matching_notes(found)))

    def of_some_of(self, known_ids: Collection[str]) -> Truth:
        """Like `for_videos`, for commands that read a run that is there, and write no new one.

        A run may be of some of the annotated videos, whatever the format: others are left out and counted.

        Raises:
            TruthError: as `for_videos`, and where no annotated video is among the known ones.
        """
        found = match_videos(self.videos, known_ids, self.path)
        absent = len(self.videos) - len(found)
        if self.dataset is not None or not found or not absent:
            return self.for_videos(known_ids)
        kept = replace(self, videos={name: self.videos[name] for name in found}).for_videos(known_ids)
        return replace(kept, notes=(*kept.notes, self._absent_note(absent)))

    def _refuse_unknown(self, unknown: list[str], known_ids: Collection[str]) -> None:
        if not unknown:
            return
        known = sorted(known_ids)
        named = ", ".join(_with_nearest(video_id, known) for video_id in unknown[:NAMED_AT_MOST])
        more = f" and {len(unknown) - NAMED_AT_MOST} more" if len(unknown) > NAMED_AT_MOST else ""
        raise TruthError(
            f"{self.path}: {len(unknown)} of {len(self.videos)} video_ids are unknown: {named}{more}; "
            "correct them or remove their rows"
        )

    def _matching_notes(self, found: Mapping[str, Collection[str]]) -> list[str]:
        notes = []
        renamed = [(name, known_id) for name, ids in found.items() for known_id in ids if known_id != name]
        if renamed:
            name, known_id = renamed[0]
            notes.append(f"{counted(len(renamed), 'video')} found by name, such as {name} as {known_id}")
        absent = len(self.videos) - len(found)
        if absent:
            notes.append(self._absent_note(absent))
        return notes

    def _absent_note(self, absent: int) -> str:
        return f"{absent} of {len(self.videos)} annotated videos are not among the inputs"


def clip_to_duration(events: Iterable[LabelledSegment], duration: float) -> tuple[list[LabelledSegment], int]:
    """Cuts events at the end of their video.

    Args:
        events: (start, end, label) in seconds.
        duration: length of the video in seconds.

    Returns:
        The events inside the video in the order given, and how many were shortened or left out; those
        that reach past the end by rounding alone (`ROUNDING_S`) are not among these.
    """
    given = list(events)
    inside = [(start, min(end, duration), label) for start, end, label in given if start < duration]
    return inside, sum(start >= duration or end > duration + ROUNDING_S for start, end, _ in given)


def _with_nearest(video_id: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(video_id, known, n=1)
    return f"{video_id!r} (nearest known: {nearest[0]!r})" if nearest else repr(video_id)


def _some(names: Iterable[str]) -> str:
    """The first two of some names."""
    listed = list(names)
    return " and ".join(repr(name) for name in listed[:2]) + (", ..." if len(listed) > 2 else "")
