"""ELAN annotation files (.eaf): one tier per level, nested by time subdivision.

A tier of the type `Time_Subdivision` holds annotations that fill those of its parent tier without gaps, which
is what the levels of a hierarchy do. As in files that ELAN itself writes, such annotations share their time
slots: with their neighbours, and at both ends with their parent, so that moving a boundary in ELAN moves it
on all of them. The format: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf.
"""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path

from pympi.Elan import Eaf, to_string

from pipelines.exports.text import writable
from pipelines.exports.video import ExportedVideo
from pipelines.manifest import is_url

AUTHOR = "STREAMER on Ray"
TOP_TYPE, NESTED_TYPE = "events", "nested events"
TOP_CONSTRAINT, NESTED_CONSTRAINT = None, "Time_Subdivision"


def elan(video: ExportedVideo, folder: Path) -> bytes:
    """The levels of `video` as tiers, coarsest first.

    Args:
        video: what to write.
        folder: where the file will lie, from which its relative link to the recording starts.
    """
    eaf = Eaf(author=AUTHOR)
    eaf.adocument["DATE"] = video.made
    eaf.remove_tier("default")
    eaf.add_linguistic_type(TOP_TYPE, TOP_CONSTRAINT)
    eaf.add_linguistic_type(NESTED_TYPE, NESTED_CONSTRAINT)
    eaf.remove_linguistic_type("default-lt")
    if video.media.is_video:
        _link(eaf, video, folder)
    parent = None
    slots = _Slots(eaf, video)
    for level in reversed(video.levels):
        tier = f"level {level}"
        eaf.add_tier(tier, NESTED_TYPE if parent else TOP_TYPE, parent)
        for event, name in zip(video.hierarchy.levels[level], video.names[level], strict=True):
            # Not add_annotation, which gives every annotation time slots of its own.
            annotation = eaf.generate_annotation_id()
            eaf.annotations[annotation] = tier
            start, end = slots.at(event.start_s, event.end_s)
            eaf.tiers[tier][0][annotation] = (start, end, name, None)
        parent = tier
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + to_string(eaf) + "\n").encode()


class _Slots:
    """The time slots of a file, in the order of time, as the format has them.

    Annotations of the top tier are independent: where one ends and the next begins there are two slots.
    """

    def __init__(self, eaf: Eaf, video: ExportedVideo) -> None:
        finest, top = (video.hierarchy.levels[level] for level in (video.levels[0], video.levels[-1]))
        top_ends = {event.end_s for event in top}
        self._starting: dict[float, str] = {}
        self._ending: dict[float, str] = {}
        for event in finest:
            if event.start_s not in self._starting:
                self._starting[event.start_s] = eaf.generate_ts_id(video.player_ms[event.start_s])
            slot = eaf.generate_ts_id(video.player_ms[event.end_s])
            self._ending[event.end_s] = slot
            if event.end_s not in top_ends:
                self._starting[event.end_s] = slot

    def at(self, start_s: float, end_s: float) -> tuple[str, str]:
        """The slots between which an event lies."""
        return self._starting[start_s], self._ending[end_s]


def _link(eaf: Eaf, video: ExportedVideo, folder: Path) -> None:
    uri = video.media.uri
    kind = mimetypes.guess_type(uri)[0] or "unknown"
    if is_url(uri):
        eaf.add_linked_file(writable(uri), mimetype=kind)
        return
    # ELAN takes what follows `file://` for a path as it stands: percent signs are not decoded.
    path, relative = (Path(place).as_posix() for place in (uri, os.path.relpath(uri, folder)))
    address = f"file://{path}" if path.startswith("/") else f"file:///{path}"
    eaf.add_linked_file(writable(address), relpath=writable(relative), mimetype=kind)
