import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.hard_streams.corpus import render_part
from benchmarks.hard_streams.parts import PARTS, EditedStyle, Part
from benchmarks.quality import command, tables
from benchmarks.quality.detectors import nearest, running_centred
from benchmarks.quality.material import Boundary, KnownVideo, read_material
from benchmarks.quality.predicting import Predicted, of_run, tiling
from benchmarks.quality.ranking import Period, area
from benchmarks.quality.scoring import SIGNAL, measure, measure_signal
from pipelines.evaluation.measures import rows
from pipelines.evaluation.scores import ALL_LEVELS, scores_frame
from pipelines.run_folder import RunFolder
from pipelines.store import HierarchyStore
from streamer.errors import StreamerError, TruthError
from streamer.hierarchy import Event, Hierarchy
from streamer.signals import Signal

TRUTH = {
    "shot": [(0.0, 4.0, "a"), (4.0, 10.0, "b"), (10.0, 20.0, "c")],
    "scene": [(0.0, 10.0, "x"), (10.0, 20.0, "y")],
}
VIDEO = KnownVideo(
    "video",
    Path("video.mp4"),
    20.0,
    25.0,
    TRUTH,
    [Boundary(4.0, "shot", "cut"), Boundary(10.0, "scene", "pattern")],
)


def test_area_is_one_where_only_boundaries_are_bad_and_zero_where_only_they_are_good():
    worse = np.zeros(40)
    worse[8] = worse[20] = 1.0
    assert area(worse, [4.0, 10.0], [4.0, 10.0]).value == 1.0
    assert area(1 - np.maximum(worse, np.roll(worse, 1)), [4.0, 10.0], [4.0, 10.0]).value == 0.0
    assert area(np.zeros(40), [4.0], [4.0]).value == 0.5


def test_area_is_that_of_scikit_learn_on_windows_cut_by_hand():
    rng = np.random.default_rng(0)
    worse = rng.standard_normal(60)
    boundaries = [3.2, 7.75, 20.0]
    found = [worse[6:8].max(), worse[15:17].max(), worse[40:42].max()]
    # Snippets k and k + 1 around the middle (k + 0.5) / 2 s, if that is more than a second away.
    places = [k for k in range(59) if all(abs((k + 0.5) * 0.5 - b) > 1.0 for b in boundaries)]
    others = [max(worse[k], worse[k + 1]) for k in places]
    expected = roc_auc_score([1] * len(found) + [0] * len(others), found + others)
    ratio = area(worse, boundaries, boundaries)
    assert ratio.value == pytest.approx(float(expected))
    assert ratio.denominator == len(found) * len(others)


def test_boundaries_of_other_kinds_are_neither_found_nor_elsewhere():
    worse = np.zeros(40)
    worse[[8, 20]] = 1.0, 2.0
    assert area(worse, [4.0], [4.0, 10.0]).value == 1.0
    assert area(worse, [4.0], [4.0]).value < 1.0


def test_a_period_leaves_out_what_lies_outside():
    worse = np.zeros(40)
    worse[30:] = 5.0
    worse[8] = 1.0
    assert area(worse, [4.0], [4.0], period=Period("early", end_s=10.0)).value == 1.0
    assert math.isnan(area(worse, [4.0], [4.0], period=Period("late", start_s=10.0)).value)


def test_snippets_without_a_signal_do_not_count():
    worse = np.full(40, np.nan)
    assert math.isnan(area(worse, [4.0], [4.0]).value)
    worse[8], worse[20:24] = 2.0, 1.0
    assert area(worse, [4.0], [4.0]).value == 1.0


def test_the_signal_is_measured_by_kind_of_boundary():
    worse = np.zeros(41)
    worse[8] = 1.0
    found = measure_signal(worse, VIDEO)
    assert found[None, "auc cut, whole"].value == 1.0
    assert found[None, "auc pattern, whole"].value == 0.5
    assert math.isnan(found[None, "auc fade, whole"].value)


def test_a_perfect_hierarchy_has_perfect_scores_and_the_level_of_the_nearest_count():
    levels = [tiling([4.0, 10.0], 20.0), tiling([10.0], 20.0)]
    found = measure([Predicted(levels, None)], VIDEO, 20.0)
    assert found["scene"][1, "boundary_f1@0.5s"].value == 1.0
    assert found["scene"][None, "nearest_count_boundary_f1@0.5s"].value == 1.0
    assert found["shot"][None, "nearest_count_events"].value == 3
    assert found[ALL_LEVELS][None, "t_full_f1"].value == pytest.approx(1.0)
    assert SIGNAL not in found


def test_several_seeds_count_as_one_predictor():
    good, none = Predicted([tiling([10.0], 20.0)]), Predicted([tiling([], 20.0)])
    found = measure([good, none], VIDEO, 20.0)
    assert found["scene"][0, "boundary_recall@0.5s"].value == 0.5


def test_the_nearest_of_the_last_snippets_is_found():
    a, b, c = np.eye(3)
    vectors = np.stack([a, b, a, b, c, a])
    assert nearest(vectors, 1)[1:].tolist() == [1.0] * 5
    assert nearest(vectors, 2)[1:].tolist() == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert nearest(vectors, 9)[1:].tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]


def test_a_running_mean_knows_nothing_of_what_comes():
    vectors = np.random.default_rng(1).standard_normal((9, 4))
    changed = vectors.copy()
    changed[6:] += 5
    assert np.array_equal(running_centred(vectors)[:6], running_centred(changed)[:6])


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.hierarchy.mkdir(exist_ok=True)
    levels = [[Event(0.0, 4.0, None, None, None), Event(4.0, 20.0, None, None, None)]]
    hierarchy = Hierarchy("video", 20.0, 0.5, levels, 40, 1)
    signals = [Signal(index, 0, 0.25 if index == 8 else 0.75, index == 8) for index in range(1, 40)]
    HierarchyStore(folder, {}, signals=True).write(hierarchy, signals)
    folder.write_run("finished", {"command": "train", "config": {"model": {"distance": "similarity"}}})
    return folder.root


def test_a_run_is_read_with_low_similarity_as_worse(run_folder: Path):
    predicted = of_run(run_folder, "video")
    assert predicted.worse is not None
    assert np.nanargmax(predicted.worse) == 8
    assert np.isnan(predicted.worse[0])
    assert [list(level) for level in predicted.levels] == [[(0.0, 4.0), (4.0, 20.0)]]


def test_a_run_without_the_video_is_refused_in_one_line(run_folder: Path):
    with pytest.raises(StreamerError, match=r"has no hierarchy of other: run it on the same material$"):
        of_run(run_folder, "other")


def test_tables_show_the_best_level_and_the_area():
    worse = np.zeros(41)
    worse[8] = 1.0
    levels = [tiling([2.0, 4.0, 10.0, 12.0], 20.0), tiling([10.0], 20.0)]
    found = measure([Predicted(levels, worse)], VIDEO, 20.0)
    scores = [score for level, measures in found.items() for score in rows("video", "mine", level, measures)]
    text = tables.render(scores_frame(scores), list(TRUTH), {"mine": 3})
    line = next(line for line in text.split("level `scene`")[1].splitlines() if line.startswith("| mine"))
    assert line.split(" | ")[:3] == ["| mine (3 seeds)", "1", "1.000"]
    assert "| mine (3 seeds) | 1.000 | 1.000 | 0.500 |" in text


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    dev = PARTS["dev"]
    part = Part("small", 3, dev.materials, dev.hues, edited_s=25.0, machines_s=4.0, machines=0)
    render_part(part, folder, workers=1, styles=[EditedStyle("calm", 0.0, 0.0, 0.0, 1.0, 23)])
    return folder


def test_detectors_beat_the_floors_on_cuts(
    material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given = ["--baselines", "clustering", "--scores", str(tmp_path / "s.parquet"), "--lengths", "3", "9"]
    assert command.main([str(material), *given]) == 0
    scores = pd.read_parquet(tmp_path / "s.parquet")
    areas = scores.loc[scores["metric"] == "auc cut, whole"].set_index("predictor")["value"]
    assert set(areas.index) == {"difference", "histogram", "comb", "recall"}
    assert areas.min() > 0.9
    trees = scores.loc[scores["metric"] == "t_full_f1"].set_index("predictor")["value"]
    assert trees["clustering"] > trees["random_nested"]
    assert "| clustering |" in capsys.readouterr().out


def test_material_that_lacks_a_video_is_refused_in_one_line(
    material: Path, capsys: pytest.CaptureFixture[str]
):
    assert command.main([str(material), "--videos", "other"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(TruthError, match="knows no video other"):
        read_material(material, ["other"])
