"""Videos on their way out, with and without hostile names."""

from fractions import Fraction

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipelines.exports.media import Media
from pipelines.exports.naming import event_names
from pipelines.exports.text import one_line
from pipelines.exports.video import ExportedVideo
from streamer.hierarchy import Hierarchy
from tests.streamer.test_hierarchy import hierarchies

MADE = "2026-01-02T03:04:05+00:00"
IN_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)

HOSTILE = (
    "a --> b",
    "two\nlines\r\n\r\nNOTE of a cue",
    "<b>&amp;</b> <script>alert(1)</script>",
    '=HYPERLINK("http://x")',
    "@SUM(1+1)",
    "-5KQ66BBWC4",
    "+1|cmd!A0",
    "#;=\\ [CHAPTER] title=x\\",
    "\x00\x07\x1b[31m\x9f",
    "]]>\ufffe\uffff",
    'quote " and , comma',
    "  spaces  ",
    "é日本\N{ZERO WIDTH JOINER}\N{GRINNING FACE}",
)


def media(**changes) -> Media:
    """A recording at 25 frames per second that a hierarchy is all of."""
    known = {"uri": "/data/a b%20c.mp4", "is_video": True, "rate": Fraction(25), "start_s": 0.0}
    return Media(**{**known, **changes})


def exported(hierarchy: Hierarchy, levels=None, names=None, **changes) -> ExportedVideo:
    """What is written of a hierarchy; by default of all its levels."""
    levels = tuple(range(hierarchy.num_levels)) if levels is None else tuple(levels)
    names = event_names(hierarchy, levels, {}) if names is None else names
    changes.setdefault("duration_s", changes.get("start_s", 0.0) + hierarchy.duration_s)
    return ExportedVideo(hierarchy, media(**changes), levels, names, MADE)


def texts() -> st.SearchStrategy[str]:
    """Names of events: any text on one line."""
    text = st.sampled_from(HOSTILE) | st.text(max_size=20)
    return text.map(one_line).filter(bool)


@st.composite
def videos(draw) -> ExportedVideo:
    """Random hierarchies with hostile names, some of their levels, somewhere in a recording."""
    hierarchy = draw(hierarchies())
    levels = sorted(draw(st.sets(st.integers(0, hierarchy.num_levels - 1), min_size=1)))
    names = {level: [draw(texts()) for _ in hierarchy.levels[level]] for level in levels}
    start_s = draw(st.sampled_from([0.0, 0.4, 3600.0]))
    first_frame_s = draw(st.sampled_from([0.0, 0.021]))
    rate = draw(st.sampled_from([None, Fraction(25), Fraction(30000, 1001), Fraction(1)]))
    return exported(hierarchy, levels, names, start_s=start_s, first_frame_s=first_frame_s, rate=rate)
