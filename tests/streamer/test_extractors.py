"""Frozen features by name: what they are, that they depend on nothing else, and how their faults are told."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from streamer.config import StreamerConfig
from streamer.errors import ConfigError, FeatureError
from streamer.extractors import check_extractor, located, open_extractor
from streamer.features import frame_features
from streamer.palette import PALETTE_DIM, frame_palettes
from streamer.projection import project

MODULE = """
import torch
from torch import nn

class Means(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.width = width
        self.dropout = nn.Dropout(0.5)
    def forward(self, x):
        assert x.dtype == torch.float32 and 0 <= x.min() and x.max() <= 1
        cells = x.unfold(2, 8, 8).unfold(3, 8, 8).mean(dim=(4, 5)).flatten(1)
        return self.dropout(cells[:, :self.width])

class Wrong(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.result = result
    def forward(self, x):
        return self.result(x)

def means(): return Means()
def narrow(): return Means(8)
def no_module(): return len
def broken(): raise OSError("no weights\\nhere")
def fails(): return Wrong(lambda x: x @ torch.ones(3, 2, 1))
def image(): return Wrong(lambda x: x)
def row(): return Wrong(lambda x: x[0, 0, 0, :8])
def wants(width): return Means(width)
def ends(): raise SystemExit(3)
number = 3
def whole(): return Wrong(lambda x: torch.ones(len(x), 12, dtype=int))
def text(): return Wrong(lambda x: "features")
def infinite(): return Wrong(lambda x: torch.full((len(x), 12), torch.inf))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a new module in the working folder."""
    name = f"features_{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return name


NUMBERS = itertools.count()


def frames(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def test_comb_is_the_palette_and_projected_features():
    images = frames(20)
    features = open_extractor("comb", 64)(images, 3)
    assert features.dtype == np.float32
    assert (features[:, :PALETTE_DIM] == frame_palettes(images)).all()
    rest = project(frame_features(images), 64 - PALETTE_DIM)
    np.testing.assert_allclose(features[:, PALETTE_DIM:], rest * (704 / (64 - PALETTE_DIM)) ** 0.5, rtol=1e-6)
    whole = open_extractor("comb", 752)(images)
    np.testing.assert_allclose(np.linalg.norm(whole[:, PALETTE_DIM:], axis=1), 3**0.5, rtol=0.05)


def test_a_module_of_the_working_folder_gives_features(module):
    images = frames(20)
    features = open_extractor(f"{module}:means", 12)(images)
    cells = images.reshape(20, 2, 8, 2, 8, 3).mean(axis=(2, 4)) / 255
    assert features == pytest.approx(cells.transpose(0, 3, 1, 2).reshape(20, 12), abs=1e-6)
    narrow = open_extractor(f"{module}:means", 8)(images)
    assert narrow == pytest.approx(project(features, 8), abs=1e-6)


def test_features_do_not_depend_on_where_decoding_began(module):
    images = frames(40)
    extract = open_extractor(f"{module}:means", 8)
    whole = extract(images)
    for first, stop in ((0, 16), (5, 6), (7, 33), (16, 40)):
        assert (extract(images[first:stop], first) == whole[first:stop]).all()


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("absent", r"has no absent: name a function in it"),
        ("no_module", r"gave builtin_function_or_method instead of a torch.nn.Module"),
        ("broken", r"OSError: no weights here \(.*features_\d+.py, line 25\): correct that"),
        ("fails", r"RuntimeError: .* \(.*features_\d+.py, line 26\): correct that"),
        (
            "wants",
            r"TypeError: wants\(\) missing .*'width' \(it must be a function without arguments\)",
        ),
        ("number", r"TypeError: 'int' object is not callable \(it must be a function without arguments\)"),
        ("ends", r"SystemExit: 3 \(.*features_\d+.py, line 30\): correct that"),
        ("image", r"gave float32 \[16, 3, 16, 16\] for 16 frames instead of float \[16, K\]"),
        ("row", r"gave float32 \[8\] for 16 frames"),
        ("whole", r"gave int64 \[16, 12\] for 16 frames"),
        ("text", r"gave str instead of a tensor"),
        ("infinite", r"gave numbers that are not finite"),
        (
            "narrow",
            r"gives 8 numbers per frame, fewer than model.feature_dim 12: set model.feature_dim to at",
        ),
    ],
)
def test_faults_are_told_in_a_line(module, factory, message):
    with pytest.raises(FeatureError, match=message) as told:
        check_extractor(f"{module}:{factory}", 12, 16)
    assert str(told.value).startswith(f"model.features {module}:{factory}: ")
    assert "\n" not in str(told.value)


def test_a_missing_module_is_told_with_the_place_where_it_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FeatureError, match=rf"no module absent: it is looked for in .*{tmp_path.name}"):
        open_extractor("absent.features:make", 8)


def test_a_file_is_told_how_it_is_named(module):
    with pytest.raises(FeatureError, match=rf"no module {module}\.py: .*: write {module}:means$"):
        open_extractor(f"{module}.py:means", 8)


def test_a_fault_of_syntax_is_told_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unclosed_features.py").write_text("x = 1\ny = (\n")
    with pytest.raises(FeatureError, match=r"never closed \(\S+unclosed_features\.py, line 2\)"):
        open_extractor("unclosed_features:make", 8)


def test_a_module_that_lacks_another_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lacking_features.py").write_text("import absent_package\n")
    with pytest.raises(FeatureError, match=r"ModuleNotFoundError: No module named 'absent_package'"):
        open_extractor("lacking_features:make", 8)


@pytest.mark.parametrize("name", ["combs", "my_module", "my-module:make", "my.module:", "hf:", "hf: x", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ConfigError, match=r"model\.features must be `comb`"):
        StreamerConfig(features=name)


def test_settings_without_effect_are_refused():
    with pytest.raises(ConfigError, match=r"model\.features has no effect when model.modality is `vectors`"):
        StreamerConfig(features="comb", feature_dim=64, modality="vectors")
    with pytest.raises(ConfigError, match=r"model\.normalize_pixels has no effect"):
        StreamerConfig(features="comb", feature_dim=64, normalize_pixels=True)


@pytest.mark.parametrize("dim", [48, 1024])
def test_comb_has_widths_of_its_own(dim):
    with pytest.raises(FeatureError, match=rf"gives from 52 to 755 numbers: .* not {dim}"):
        open_extractor("comb", dim)


def test_a_folder_is_named_absolutely(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "encoder").mkdir()
    assert located("hf:encoder") == f"hf:{tmp_path / 'encoder'}"
    assert located("hf:google/encoder") == "hf:google/encoder"
    assert located("comb") == "comb"


def test_the_example_of_the_page_works(tmp_path, monkeypatch):
    page = (Path(__file__).resolve().parents[2] / "docs" / "features.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "page_features.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    check_extractor("page_features:Small", 128, 64)
