import argparse
from pathlib import Path
from typing import Any

import pytest
import torch

import streamer
from streamer.config import DemarcationConfig, StreamerConfig
from streamer.errors import CheckpointError, ConfigError
from streamer.hierarchy import Event, Hierarchy
from streamer.release import is_release_checkpoint, release_boundaries, release_name, settings_to_config
from streamer.streamer import Streamer
from tests.streamer.tiny import tiny, vectors, watch

ARGUMENTS: dict[str, Any] = {
    "max_layers": 3,
    "init_layers": 1,
    "evolve_every": 10_000,
    "buffer_size": 4,
    "force_fixed_buffer": True,
    "demarcation_mode": "average",
    "distance_mode": "similarity",
    "force_base_dist": False,
    "loss_threshold": 0.25,
    "window_size": 20,
    "modifier_type": "add",
    "modifier": -0.1,
    "lr": 2e-4,
    "alpha": 2,
    "optimize_every": 50,
    "hgn_timescale": False,
    "hgn_reach": False,
    "feature_dim": 8,
    "frame_size": [128, 128],
    "dataset": "epic",
    "num_workers": 4,
    "normalize_imgs": False,
    "p_device": "slurm",
    "init_ckpt": None,
    "save_every": 25_000,
}
FRAMES = StreamerConfig(
    feature_dim=8, frame_size=32, channels=(2, 3, 4, 5), working_set_size=4, initial_levels=2
)


def release_content(model: Streamer, **changes: Any) -> dict[str, Any]:
    """What the release would have stored for a model."""
    weights = {
        release_name(index, name): parameter.detach().clone()
        for index, level in enumerate(model.levels)
        for name, parameter in level.named_parameters()
    }
    content = {
        "model_args": dict(ARGUMENTS),
        "model_modality": "video",
        "model_snippet_size": 0.5,
        "num_layers": len(model.levels),
        "weights": weights,
    }
    return {**content, **changes}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "release.pth"


def refusal(path: Path, content: Any) -> str:
    torch.save(content, path)
    with pytest.raises(CheckpointError) as error:
        streamer.load_release_checkpoint(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("kind", [dict, argparse.Namespace])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_checkpoint_of_vectors_arrives(path, kind, levels):
    source = Streamer(tiny(initial_levels=levels), seed=8)
    torch.save(release_content(source, model_args=kind(**ARGUMENTS), model_snippet_size=0.25), path)
    assert is_release_checkpoint(path)
    model = streamer.load_release_checkpoint(path)
    for one, other in zip(source.levels.parameters(), model.levels.parameters(), strict=True):
        assert torch.equal(one, other)
    config = model.config
    assert (config.modality, config.feature_dim, config.working_set_size) == ("vectors", 8, 4)
    assert (config.max_levels, config.initial_levels, config.evolve_every) == (3, levels, 10_000)
    assert (config.snippet_size, config.force_fixed_buffer, config.distance) == (0.25, True, "similarity")
    assert config.demarcation == DemarcationConfig(window_size=20, modifier_type="add", modifier=-0.1)
    learning = config.learning
    assert (learning.lr, learning.alpha, learning.optimize_every) == (2e-4, 2, 50)
    assert (learning.hgn_timescale, learning.hgn_reach) == (False, True)
    assert model.learner is None
    watch(model, vectors(5))


def test_a_checkpoint_of_frames_arrives_with_its_sizes(path):
    source = Streamer(FRAMES)
    content = release_content(source, model_args={**ARGUMENTS, "normalize_imgs": True})
    assert "above.f.network.layers.1.self_attn.in_proj_bias" in content["weights"]
    assert "p.decoder.conv4.weight" in content["weights"]
    torch.save(content, path)
    model = streamer.load_release_checkpoint(path, train=True)
    config = model.config
    assert (config.modality, config.channels, config.frame_size) == ("frames", (2, 3, 4, 5), 32)
    assert config.normalize_pixels
    for one, other in zip(source.levels.parameters(), model.levels.parameters(), strict=True):
        assert torch.equal(one, other)
    assert model.learner is not None


def test_weights_in_float64_are_read(path):
    content = release_content(Streamer(tiny(), precision="float64"))
    torch.save(content, path)
    streamer.load_release_checkpoint(path)


WEIGHT_CHANGES = {
    "missing": lambda w: w.pop("f.network.layers.0.linear1.bias"),
    "missing table": lambda w: w.pop("f.pos_enc.weight"),
    "missing convolution": lambda w: w.pop("f.encoder.conv3.weight"),
    "unknown": lambda w: w.update({"above.above.f.cls_token.weight": torch.zeros(1, 8)}),
    "misshaped": lambda w: w.update({"p.network.layers.0.linear1.bias": torch.zeros(3)}),
    "flat table": lambda w: w.update({"f.pos_enc.weight": torch.zeros(8)}),
    "table without dimensions": lambda w: w.update({"p.pos_enc.weight": torch.tensor(1.0)}),
    "convolution without channels": lambda w: w.update({"f.encoder.conv4.weight": torch.zeros(0, 4, 3, 3)}),
    "image that is not square": lambda w: w.update({"f.encoder.fc1.weight": torch.zeros(8, 5 * 6)}),
    "width that fits no model": lambda w: w.update({"f.pos_enc.weight": torch.zeros(4, 12)}),
    "no tensor": lambda w: w.update({"f.pos_enc.weight": 3}),
}


@pytest.mark.parametrize("change", WEIGHT_CHANGES.values(), ids=list(WEIGHT_CHANGES))
def test_weights_that_make_no_model_are_refused(path, change):
    content = release_content(Streamer(FRAMES))
    change(content["weights"])
    refusal(path, content)


def test_the_first_odd_parameter_is_named(path):
    content = release_content(Streamer(tiny()))
    del content["weights"]["p.network.layers.0.linear1.bias"]
    assert "1 parameters are missing or unknown, the first is p.network.layers.0.linear1.bias" in refusal(
        path, content
    )
    content = release_content(Streamer(tiny()))
    content["weights"]["p.network.layers.0.linear1.bias"] = torch.zeros(3)
    assert "p.network.layers.0.linear1.bias has shape [3], expected [16]" in refusal(path, content)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_layers": 2},
        {"num_layers": 4},
        {"num_layers": 0},
        {"num_layers": "many"},
        {"model_snippet_size": -1.0},
        {"model_snippet_size": None},
        {"model_args": None},
        {"model_args": {"demarcation_mode": "median"}},
        {"model_args": {"demarcation_mode": ["fixed"]}},
        {"model_args": {"demarcation_mode": "fixed"}},
        {"model_args": {"distance_mode": "cosine"}},
        {"model_args": {"alpha": 0}},
        {"weights": [torch.zeros(1)]},
        {"weights": {}},
    ],
)
def test_settings_that_make_no_model_are_refused(path, changes):
    refusal(path, release_content(Streamer(tiny()), **changes))


@pytest.mark.parametrize("entry", ["model_args", "model_snippet_size", "num_layers", "weights"])
def test_a_file_without_an_entry_is_no_release_checkpoint(path, entry):
    content = release_content(Streamer(tiny()))
    del content[entry]
    assert "not a checkpoint of the STREAMER release" in refusal(path, content)
    assert not is_release_checkpoint(path)


def test_the_two_formats_are_told_apart(path):
    streamer.save(Streamer(tiny()), path)
    assert not is_release_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"read by streamer\.load"):
        streamer.load_release_checkpoint(path)
    torch.save(release_content(Streamer(tiny())), path)
    with pytest.raises(CheckpointError, match="load_release_checkpoint"):
        streamer.load(path)


def test_settings_have_the_defaults_of_the_release():
    assert settings_to_config({}) == StreamerConfig()


def test_settings_without_effect_in_the_release_are_left_out():
    settings = {"distance_mode": "distance", "force_base_dist": True, "hgn_reach": False, "window_size": 3}
    config = settings_to_config({**settings, "demarcation_mode": "accum", "loss_threshold": 2.0})
    assert config.force_base_distance is False
    assert config.learning.hgn_reach is True
    assert config.demarcation == DemarcationConfig(mode="accumulate", threshold=2.0)


def test_unknown_settings_are_refused_in_plain_words():
    with pytest.raises(ConfigError, match="demarcation_mode must be one of fixed, accum, average, not 'sum'"):
        settings_to_config({"demarcation_mode": "sum"})


def hierarchy(*starts: list[float]) -> Hierarchy:
    levels = [[Event(a, b) for a, b in zip(level, [*level[1:], 9.0], strict=True)] for level in starts]
    return Hierarchy("v", 9.0, 0.5, levels, 18)


@pytest.mark.parametrize(
    ("starts", "closed"),
    [
        ([[0.0, 1.0, 2.5], [0.0, 1.0]], [[0.0, 1.0, 2.5], [0.0, 1.0, 2.5]]),
        ([[0.0, 1.0, 2.5], [0.0, 2.5]], [[0.0, 1.0, 2.5], [0.0, 2.5]]),
        ([[0.0, 1.0, 2.5], [0.0, 1.0], [0.0]], [[0.0, 1.0, 2.5], [0.0, 1.0, 2.5], [0.0, 2.5]]),
        ([[0.0], [0.0]], [[0.0], [0.0]]),
    ],
)
def test_the_release_closes_upper_levels_at_the_last_boundary_of_level_0(starts, closed):
    assert release_boundaries(hierarchy(*starts)) == closed
