"""Vision encoders of Hugging Face, tiny and randomly initialised."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamer.errors import FeatureError
from streamer.extractors import open_extractor
from streamer.huggingface import load_encoder
from streamer.projection import project

transformers = pytest.importorskip("transformers")

SIZE = 32


def save_vit(folder: Path, *, pooler: bool = True, preprocessor: bool = True) -> Any:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=SIZE,
        patch_size=16,
        pooler_output_size=24,
    )
    model = transformers.ViTModel(config, add_pooling_layer=pooler).eval()
    model.save_pretrained(folder)
    if preprocessor:
        settings = {
            "size": {"height": SIZE, "width": SIZE},
            "image_mean": [0.5, 0.4, 0.3],
            "image_std": [0.2] * 3,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return model


def frames(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def pixels(images: np.ndarray, mean: list[float], deviation: float) -> torch.Tensor:
    values = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    return (values - torch.tensor(mean)[:, None, None]) / deviation


def test_the_pooled_output_is_taken_of_normalised_frames(tmp_path):
    model = save_vit(tmp_path)
    images = frames(3, SIZE)
    with torch.no_grad():
        expected = model(pixels(images, [0.5, 0.4, 0.3], 0.2)).pooler_output.numpy()
    assert open_extractor(f"hf:{tmp_path}", 24)(images) == pytest.approx(expected, abs=1e-5)
    assert open_extractor(f"hf:{tmp_path}", 8)(images) == pytest.approx(project(expected, 8), abs=1e-5)


def test_without_a_trained_pooler_patches_are_averaged(tmp_path):
    model = save_vit(tmp_path, pooler=False, preprocessor=False)
    images = frames(3, SIZE)
    with torch.no_grad():
        expected = model(pixels(images, [0.5] * 3, 0.5)).last_hidden_state[:, 1:].mean(dim=1).numpy()
    assert open_extractor(f"hf:{tmp_path}", 24)(images) == pytest.approx(expected, abs=1e-5)


def test_frames_of_another_size_are_resized(tmp_path):
    save_vit(tmp_path)
    extract = open_extractor(f"hf:{tmp_path}", 24)
    flat = np.full((1, 64, 64, 3), (200, 20, 90), np.uint8)
    assert extract(flat) == pytest.approx(extract(flat[:, :SIZE, :SIZE]), abs=1e-4)


def test_a_convolutional_encoder_works_too(tmp_path):
    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    transformers.ResNetModel(config).save_pretrained(tmp_path)
    assert open_extractor(f"hf:{tmp_path}", 16)(frames(2, SIZE)).shape == (2, 16)


def test_an_encoder_of_text_is_refused(tmp_path):
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(FeatureError, match="takes input_ids: name a vision encoder"):
        open_extractor(f"hf:{tmp_path}", 8)


def test_a_folder_without_a_model_is_told_in_a_line(tmp_path):
    with pytest.raises(FeatureError, match=rf"model.features hf:{tmp_path}: cannot be loaded") as told:
        open_extractor(f"hf:{tmp_path}", 8)
    assert "\n" not in str(told.value)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        FeatureError, match=r"needs `transformers`: pip install 'streamer-ray\[huggingface\]'"
    ):
        open_extractor("hf:anything/at-all", 8)


def test_attempts_to_reach_the_hub_are_not_told_one_by_one(monkeypatch):
    logger = logging.getLogger("huggingface_hub.utils._http")
    told = []

    def fail(*_, **__):
        told.append(logger.isEnabledFor(logging.WARNING))
        raise OSError("no network")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", fail)
    assert logger.isEnabledFor(logging.WARNING)
    with pytest.raises(FeatureError, match=r"cannot be loaded \(no network\)"):
        load_encoder("someone/something")
    assert told == [False]
    assert logger.isEnabledFor(logging.WARNING)
