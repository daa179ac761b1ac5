"""One video on its way out: its hierarchy, the recording, and what its events are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pipelines.exports.media import Media
from pipelines.exports.text import whole_milliseconds
from streamer.hierarchy import Hierarchy


@dataclass(frozen=True)
class ExportedVideo:
    """What is written of one video.

    Attributes:
        hierarchy: all of it.
        media: the recording.
        levels: the levels to write, finest first.
        names: of every event, per level to write; on one line, not empty.
        made: when the run began, as ISO 8601 has it.
    """

    hierarchy: Hierarchy
    media: Media
    levels: tuple[int, ...]
    names: Mapping[int, Sequence[str]]
    made: str

    def at(self, level: int) -> ExportedVideo:
        """The video with one level to write."""
        return replace(self, levels=(level,))

    @cached_property
    def player_ms(self) -> Mapping[float, int]:
        """The whole milliseconds that a player's clock shows at every boundary, by seconds of the hierarchy.

        The same for all levels, so that nested events stay nested, and no event becomes empty.
        """
        starts = [event.start_s for event in self.hierarchy.levels[0]]
        return whole_milliseconds([*starts, self.hierarchy.duration_s], self.media.player_offset_s)

    def parents(self, level: int) -> list[int | None]:
        """Index one level up of the event that contains each event of a level; None at the top."""
        hierarchy = self.hierarchy
        if level + 1 >= hierarchy.num_levels:
            return [None] * len(hierarchy.levels[level])
        ends = iter(event.end_s for event in hierarchy.levels[level + 1])
        parents, parent, until = [], 0, next(ends)
        for event in hierarchy.levels[level]:
            while event.start_s >= until:
                parent, until = parent + 1, next(ends)
            parents.append(parent)
        return parents
