from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.hard_streams.corpus import render_part
from benchmarks.hard_streams.parts import PARTS, EditedStyle, Part
from benchmarks.settings import command
from benchmarks.settings.variants import VARIANTS, variant_config
from pipelines.recipes import adaptive_model
from streamer.demarcation_config import DemarcationConfig

DEFAULT = adaptive_model()


def test_every_variant_is_a_model_of_its_own():
    configs = {name: variant_config(changes) for name, changes in VARIANTS.items()}
    assert configs["default"] == DEFAULT
    assert len(set(map(repr, configs.values()))) == len(VARIANTS)


def test_what_has_no_effect_beside_a_change_gives_way():
    assert variant_config({"demarcation.mode": "average"}).demarcation == DemarcationConfig()
    assert variant_config({"features": None}).encodes_frames


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    dev = PARTS["dev"]
    part = Part("small", 5, dev.materials, dev.hues, edited_s=25.0, machines_s=4.0, machines=0)
    styles = [EditedStyle("calm", 0.0, 0.0, 0.0, 1.0, 23)]
    render_part(part, folder, workers=1, styles=styles)
    return folder


def test_variants_are_scored_side_by_side(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    given = ["--only", "default", "no recall", "--scores", str(tmp_path / "s.parquet")]
    assert command.main([str(material), *given]) == 0
    scores = pd.read_parquet(tmp_path / "s.parquet")
    areas = scores.loc[scores["metric"] == "auc cut, whole"].set_index("predictor")["value"]
    assert set(areas.index) == {"default", "no recall"}
    assert np.all(areas > 0.9)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| no recall")]
    assert len(rows) == 1


def test_material_that_is_not_there_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    assert command.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
