import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import streamer
from streamer import checkpoint
from streamer.config import LearningConfig
from streamer.errors import CheckpointError
from streamer.streamer import Streamer
from tests.streamer.tiny import parameters, same, tiny, vectors, watch

CONFIG = tiny(
    feature_dim=16,
    working_set_size=10,
    evolve_every=12,
    force_fixed_buffer=True,
    learning={"optimize_every": 2},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.ckpt"


class Touch:
    """Pickles as a call that creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def trained(videos: int = 2, **settings) -> Streamer:
    model = Streamer(dataclasses.replace(CONFIG, **settings), seed=5)
    for number in range(videos):
        watch(model, vectors(45, number, model.config.feature_dim))
    return model


def refusal(call, *arguments, **named) -> str:
    with pytest.raises(CheckpointError) as error:
        call(*arguments, **named)
    message = str(error.value)
    assert "\n" not in message
    assert str(arguments[0]) in message
    return message


@pytest.mark.parametrize("videos", [1, 3])
def test_training_goes_on_as_if_it_had_not_been_interrupted(path, videos):
    model = trained(videos)
    streamer.save(model, path)
    loaded = streamer.load(path, train=True)
    assert loaded.learner is not None
    assert model.learner is not None
    steps = model.learner.steps
    assert (loaded.learner.steps, len(loaded.levels), loaded.config) == (steps, len(model.levels), CONFIG)
    for number in (7, 8):
        stream = vectors(60, number, 16)
        (expected, expected_signals), (got, signals) = watch(model, stream), watch(loaded, stream)
        assert signals == expected_signals
        assert same(got, expected)
    assert all(torch.equal(a, b) for a, b in zip(parameters(model), parameters(loaded), strict=True))
    assert model.learner.steps > steps
    assert len(loaded.levels) == 3


def test_tables_that_were_bounded_keep_their_bits(path):
    """Without a step in between, the uninterrupted model does not bound its rows again."""
    config = dataclasses.replace(CONFIG, max_levels=1, learning=LearningConfig())
    for seed in range(10):
        model = Streamer(config, seed=seed)
        watch(model, vectors(15, seed, 16))
        streamer.save(model, path)
        _, expected = watch(model, vectors(12, seed + 1, 16))
        loaded = streamer.load(path, train=True)
        assert watch(loaded, vectors(12, seed + 1, 16))[1] == expected
        assert all(torch.equal(a, b) for a, b in zip(parameters(model), parameters(loaded), strict=True))


def test_growth_goes_on_from_the_inputs_that_were_counted(path):
    model = Streamer(tiny(evolve_every=10), seed=5)
    watch(model, vectors(8))
    streamer.save(model, path)
    loaded = streamer.load(path, train=True)
    watch(loaded, vectors(3))
    assert len(loaded.levels) == 1
    watch(loaded, vectors(1))
    assert len(loaded.levels) == 2


def test_losses_that_no_step_has_used_count_on(path):
    model = Streamer(tiny(max_levels=1, learning={"optimize_every": 4}))
    watch(model, vectors(3))
    streamer.save(model, path)
    loaded = streamer.load(path, train=True)
    assert loaded.learner is not None
    watch(loaded, vectors(2))
    assert loaded.learner.steps == 0
    watch(loaded, vectors(2))
    assert loaded.learner.steps == 1


def test_a_model_for_inference_has_the_parameters_and_learns_nothing(path):
    model = trained()
    streamer.save(model, path)
    loaded = streamer.load(path)
    assert loaded.learner is None
    assert all(torch.equal(a, b) for a, b in zip(parameters(model), parameters(loaded), strict=True))
    frozen = Streamer(dataclasses.replace(CONFIG, initial_levels=len(model.levels)), train=False)
    frozen.levels.load_state_dict(model.levels.state_dict())
    stream = vectors(60, 9, 16)
    (expected, expected_signals), (got, signals) = watch(frozen, stream), watch(loaded, stream)
    assert signals == expected_signals
    assert same(got, expected)
    watch(loaded, vectors(60, 10, 16))
    assert same(watch(loaded, stream)[0], expected)


def test_a_model_of_frames_comes_back_with_its_configuration(path):
    config = streamer.StreamerConfig(
        feature_dim=8, frame_size=16, channels=(2, 3, 4, 5), normalize_pixels=True
    )
    model = Streamer(config, train=False, precision="float64")
    streamer.save(model, path)
    loaded = streamer.load(path, precision="float64")
    assert loaded.config == config
    assert all(torch.equal(a, b) for a, b in zip(parameters(model), parameters(loaded), strict=True))


def test_parameters_are_loaded_in_the_type_asked_for(path):
    streamer.save(trained(), path)
    model = streamer.load(path, train=True, precision="float64")
    watch(model, vectors(20, 1, 16))
    assert {parameter.dtype for parameter in model.levels.parameters()} == {torch.float64}


def test_a_seed_may_be_a_number_of_numpy(path):
    seed: Any = np.int64(3)
    model = Streamer(tiny(), seed=seed)
    streamer.save(model, path)
    assert streamer.load(path).levels.seed == 3


def test_a_model_without_learner_cannot_go_on(path):
    streamer.save(Streamer(tiny(), train=False), path)
    assert "no learner" in refusal(streamer.load, path, train=True)
    streamer.load(path)


@pytest.mark.parametrize("load", [streamer.load, streamer.load_release_checkpoint])
def test_nothing_is_executed(load, path, tmp_path):
    content = {"format": checkpoint.FORMAT, "version": 1, "config": Touch(tmp_path / "executed")}
    torch.save(content, path)
    torch.load(path, weights_only=False)
    assert (tmp_path / "executed").exists(), "the file is dangerous"
    (tmp_path / "executed").unlink()
    refusal(load, path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, share):
    streamer.save(trained(1), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refusal(streamer.load, path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"\x80\x02",
        b"\x80\x02R.",
        b"\x80\x02K\x01.",
        b"\x80\x02)a.",
        b"\x80\x02X\xff",
        b"PK\x03\x04" * 9,
    ],
)
def test_a_foreign_file_is_refused(path, content):
    path.write_bytes(content)
    refusal(streamer.load, path)
    refusal(streamer.load_release_checkpoint, path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damage_anywhere_is_refused_or_harmless(path):
    """Instructions in a damaged file make torch's reader fail in many ways."""
    streamer.save(Streamer(tiny(max_levels=1)), path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(0, 6000, 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            streamer.load(path, train=True)
        except CheckpointError:
            refused += 1
    assert refused > 50


def test_other_things_than_files_are_refused(tmp_path):
    assert "no such" in refusal(streamer.load, tmp_path / "nothing.ckpt")
    assert "directory" in refusal(streamer.load, tmp_path)
    torch.save([1, 2], tmp_path / "list.ckpt")
    assert "holds list" in refusal(streamer.load, tmp_path / "list.ckpt")


CHANGES = {
    "another format": lambda c: c.update(format="other"),
    "no format": lambda c: c.pop("format"),
    "a later version": lambda c: c.update(version=checkpoint.VERSION + 1),
    "no version": lambda c: c.pop("version"),
    "no parameters": lambda c: c.pop("parameters"),
    "a missing parameter": lambda c: c["parameters"].popitem(),
    "an extra parameter": lambda c: c["parameters"].update(extra=torch.zeros(1)),
    "a misshaped parameter": lambda c: c["parameters"].update(
        {"stack.0.f.pos_enc.weight": torch.zeros(1, 1)}
    ),
    "an unknown key": lambda c: c["config"].update(colour="red"),
    "a value of another type": lambda c: c["config"].update(feature_dim="wide"),
    "too many levels": lambda c: c.update(num_levels=4),
    "no level": lambda c: c.update(num_levels=0),
    "a number for a dictionary": lambda c: c.update(config=3),
    "no gradients": lambda c: c["learner"].pop("gradients"),
    "too few gradients": lambda c: c["learner"]["gradients"].pop(),
    "a misshaped gradient": lambda c: c["learner"]["gradients"].__setitem__(0, torch.zeros(3)),
    "another optimiser": lambda c: c["learner"].update(optimizer={"state": {}, "param_groups": []}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_content_that_makes_no_model_is_refused(path, change):
    streamer.save(trained(1), path)
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    refusal(streamer.load, path, train=True)


def test_parameters_do_not_fit_a_model_with_fewer_levels(path):
    streamer.save(trained(3), path)
    smaller = Streamer(dataclasses.replace(CONFIG, max_levels=2))
    message = refusal(lambda p: checkpoint.restore_parameters(smaller, checkpoint.read(p), p), path)
    assert "3 levels" in message


def test_a_file_that_cannot_be_written_leaves_the_old_one(path, monkeypatch):
    streamer.save(trained(1), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        streamer.save(trained(1), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
