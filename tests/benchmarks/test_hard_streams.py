import itertools
from pathlib import Path

import numpy as np
import pytest

from benchmarks.hard_streams.camera import framed
from benchmarks.hard_streams.corpus import Video, render_part, write_truth
from benchmarks.hard_streams.edited import light_gains, render_edited
from benchmarks.hard_streams.looks import draw_place
from benchmarks.hard_streams.machines import PATTERNS, SNIPPET, Station
from benchmarks.hard_streams.parts import FPS, PARTS, STYLES, EditedStyle, Part
from benchmarks.hard_streams.script import write_script
from benchmarks.hard_streams.shifts import Shift
from benchmarks.hard_streams.truth import LEVELS, truth_rows
from pipelines.annotations.reading import read_truth
from pipelines.tables import table_rows
from streamer.errors import TruthError
from streamer.video import probe

DEV = PARTS["dev"]
CALM = EditedStyle("calm", fades=0.0, lighting=0.0, shake=0.0, noise=1.0, crf=23)
SMALL = Part("small", 3, DEV.materials, DEV.hues, edited_s=4.0, machines_s=4.0, machines=0)


@pytest.fixture(scope="module")
def shift() -> Shift:
    return Shift(np.random.default_rng(5), DEV, 120.0)


def pieces_of_both(shift: Shift) -> list:
    return [write_script(np.random.default_rng(4), STYLES[1], 120.0).pieces(), shift.pieces()]


def test_every_level_tiles_the_video_and_the_levels_are_nested(shift: Shift):
    for pieces in pieces_of_both(shift):
        starts = {}
        for name in LEVELS:
            events = [row for row in truth_rows("video", pieces) if row[1] == name]
            assert events[0][2] == 0.0
            assert events[-1][3] == pieces[-1].stop / FPS
            assert all(one[3] == other[2] for one, other in itertools.pairwise(events))
            starts[name] = {event[2] for event in events}
        assert starts["scene"] < starts["activity"] < starts["motion"]


def test_labels_tell_neighbouring_events_apart(shift: Shift):
    for pieces in pieces_of_both(shift):
        for name in ("motion", "scene"):
            labels = [row[4] for row in truth_rows("video", pieces) if row[1] == name]
            assert all(one != other for one, other in itertools.pairwise(labels))


def test_boundaries_lie_anywhere_between_snippets(shift: Shift):
    for pieces in pieces_of_both(shift):
        assert len({piece.start % SNIPPET for piece in pieces[1:]}) >= SNIPPET - 1


def test_cuts_are_at_the_frame_that_the_truth_tells():
    script = write_script(np.random.default_rng(6), CALM, 25.0)
    frames = [
        frame[::4, ::4].astype(int) for frame in render_edited(np.random.default_rng(6), DEV, CALM, script)
    ]
    changes = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(frames)])
    cuts = [piece.start for piece in script.pieces() if piece.kind == "cut"]
    assert len(frames) == script.frames
    assert len(cuts) >= 2
    assert sorted(np.argsort(-changes)[: len(cuts)] + 1) == cuts


def test_a_cross_fade_has_its_middle_where_the_truth_tells():
    fading = EditedStyle("fading", fades=1.0, lighting=0.0, shake=0.0, noise=0.0, crf=23)
    script = write_script(np.random.default_rng(7), fading, 25.0)
    frames = np.stack(
        [frame[::4, ::4] for frame in render_edited(np.random.default_rng(7), DEV, fading, script)]
    ).astype(float)
    piece = next(piece for piece in script.pieces() if piece.kind == "fade")
    before, after = frames[piece.start - piece.fade], frames[piece.start + piece.fade]
    seen = frames[piece.start - 1 : piece.start + 1].mean(axis=0)
    share = ((seen - before) * (after - before)).sum() / ((after - before) ** 2).sum()
    assert share == pytest.approx(0.5, abs=0.1)


def test_light_changes_inside_shots_alone():
    script = write_script(np.random.default_rng(8), STYLES[2], 200.0)
    starts = np.array([shot.start for shot in script.shots])
    assert len(script.light) >= 5
    assert all(np.abs(starts - change.start).min() >= FPS for change in script.light)
    assert np.ptp(light_gains(script), axis=0).min() > 0.1


def test_equal_seeds_give_equal_frames_and_others_do_not():
    def first(video: Video) -> np.ndarray:
        return np.stack(list(itertools.islice(video.plan().frames, 3)))

    one, again, other = Video(SMALL, 0, CALM), Video(SMALL, 0, CALM), Video(SMALL, 1, CALM)
    assert np.array_equal(first(one), first(again))
    assert one.plan().pieces == again.plan().pieces
    assert not np.array_equal(first(one), first(other))


def test_the_parts_share_no_seed_no_material_and_no_colour():
    dev, test = PARTS["dev"], PARTS["test"]
    assert dev.seed != test.seed
    assert not set(dev.materials) & set(test.materials)
    for low, high in dev.hues:
        assert all(high < start or stop < low for start, stop in test.hues)


def test_every_part_has_an_hour_of_video_with_machines_that_leave_time_to_learn():
    for part in PARTS.values():
        assert len(STYLES) * part.edited_s + part.machines * part.machines_s > 3600
        assert part.machines_s >= 900


def test_all_patterns_of_a_station_change_the_picture_alike():
    rng = np.random.default_rng(9)
    station = Station(rng, DEV, draw_place(rng, DEV).view(0.0, 0.5, 1.1))
    changes = []
    for pattern in range(PATTERNS):
        moments = range(SNIPPET // 2, station.cycle(pattern) + SNIPPET, SNIPPET)
        seen = [framed(*station.state(pattern, since)) for since in moments]
        changes.append(np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(seen)]))
    assert min(changes) > 3
    assert max(changes) < 1.2 * min(changes)


def test_a_pattern_comes_back_to_where_it_began(shift: Shift):
    for run in shift.runs:
        cycle = shift.stations[run.room][run.station].cycle(run.pattern)
        assert run.running % cycle == 0
        assert run.running >= cycle
        assert run.start + run.lead + run.running <= run.stop


def test_a_part_is_rendered_with_truth_that_fits_the_files(tmp_path: Path):
    done: list[str] = []
    render_part(SMALL, tmp_path, workers=1, progress=done.append, styles=[CALM])
    assert done == ["small_0_calm"]
    truth = read_truth(tmp_path / "truth.csv").videos["small_0_calm"]
    info = probe(tmp_path / "videos" / "small_0_calm.mp4")
    assert list(truth) == list(LEVELS)
    assert info.duration_s == pytest.approx(truth["scene"][-1][1])
    assert (info.width, info.height) == (320, 180)
    kinds = table_rows(tmp_path / "kinds.csv", required=("time_s", "kind"), error=TruthError)
    inner = [start for start, _, _ in truth["motion"][1:]]
    assert [float(row["time_s"]) for _, row in kinds] == pytest.approx(inner)


def test_truth_is_the_same_whether_videos_are_rendered_or_not(tmp_path: Path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        write_truth([Video(SMALL, 0, CALM)], tmp_path / folder)
    assert (tmp_path / "one" / "truth.csv").read_bytes() == (tmp_path / "other" / "truth.csv").read_bytes()
