"""The default recipe and frozen features, from the command line to files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import streamer
from pipelines.cli import main, parse
from pipelines.recipes import adaptive_model
from pipelines.run_folder import CHECKPOINT_FILE, FINAL_CHECKPOINT
from pipelines.snippets import ROW_SNIPPETS
from streamer.extractors import open_extractor
from streamer.segmentation import timed
from streamer.sources import open_source
from streamer.streamer import Streamer
from tests.pipelines.conftest import ADAPTIVE, SECONDS, write_vectors
from tests.pipelines.runs import check_run, hierarchies, table

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

MODULES = "tests.pipelines.feature_modules"
NARROW = [*ADAPTIVE, "--model.feature_dim=16"]  # for modules that give few numbers


def observe_directly(path: Path, model: Streamer) -> list:
    """What the model makes of a video's features without any pipeline around it."""
    config = model.config
    assert config.features is not None
    extract = open_extractor(config.features, config.feature_dim)
    with open_source(str(path), snippet_size=0.5, frame_size=config.frame_size) as source:
        frames = np.stack([*source])
        for start in range(0, len(frames), ROW_SNIPPETS):
            model.offer(extract(frames[start : start + ROW_SNIPPETS], start))
            while model.lanes[0].waiting:
                model.advance()
                model.barrier()
        return list(table(model.end_video(source.duration_s, path.stem)))


@pytest.mark.parametrize("features", ["comb", f"{MODULES}:means"])
def test_a_video_gives_what_the_model_makes_of_its_features(clips, command, features):
    words = [clips / "b.mp4", *(ADAPTIVE if features == "comb" else NARROW), "--model.features", features]
    done = command("train", *words)
    run = check_run(done.folder)
    assert (done.code, run["config"]["recipe"]) == (0, "adaptive")
    model = Streamer(parse("train", [*map(str, words), "--out", "x"]).model, seed=0)
    assert table(hierarchies(done.folder)["b"]) == observe_directly(clips / "b.mp4", model)

    learned = streamer.load(done.folder.checkpoints / FINAL_CHECKPOINT / CHECKPOINT_FILE)
    assert learned.config == model.config
    again = command("segment", clips, "--model", done.folder.root, out="segmented")
    assert again.code == 0
    found = hierarchies(again.folder)
    assert set(found) == set(SECONDS)
    for name in SECONDS:
        assert table(found[name]) == table(streamer.segment(str(clips / f"{name}.mp4"), learned))


def test_all_values_of_the_recipe_are_recorded(clips, command):
    done = command("train", clips / "a.mp4", "--model.feature_dim", 64, "--timescales", "2s,4s")
    recorded = done.folder.read_run()["config"]
    assert recorded["timescales"] == "2s,4s"
    scaled = timed(adaptive_model(), (2.0, 4.0)).to_dict()
    expected = {**scaled, "feature_dim": 64, "timescales": [2.0, 4.0]}
    assert {**recorded["model"], "channels": (32, 64, 256, 1024)} == expected


def test_vectors_are_taken_as_they_are(tmp_path, command):
    path = write_vectors(tmp_path / "v.npy", 60)
    done = command("train", path, "--model.feature_dim", 16)
    assert done.code == 0
    model = check_run(done.folder)["config"]["model"]
    assert (model["modality"], model["features"], model["residual"]) == ("vectors", None, True)
    again = command("train", path, "--model.feature_dim", 16)
    assert (again.code, "this run finished" in again.output) == (0, True)
    assert command("segment", path, "--model", done.folder.root, out="segmented").code == 0


def test_other_features_are_another_run(clips, command, capfd):
    done = command("train", clips / "a.mp4", *ADAPTIVE)
    words = ["train", str(clips / "a.mp4"), *ADAPTIVE, "--out", str(done.folder.root)]
    assert main([*words, "--model.features", f"{MODULES}:means"]) == 2
    assert "model.features was 'comb', is" in capfd.readouterr().err


def test_features_that_cannot_be_loaded_are_told_before_anything_is_written(clips, command):
    done = command("train", clips, *ADAPTIVE, "--model.features", "absent_package.features:make")
    assert (done.code, done.folder.root.exists()) == (2, False)
    assert "there is no module absent_package: it is looked for in" in done.output.splitlines()[-1]


def fault(output: str) -> str:
    """The one line that tells of a fault."""
    [line] = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in output
    return line


def test_a_fault_of_the_features_ends_the_run_and_is_told_once(
    clips, command, monkeypatch, save_model: Callable[[str], Path]
):
    name = f"{MODULES}:sensitive"
    done = command("train", clips, *NARROW, "--model.features", name)
    assert done.code == 2
    assert f"model.features {name}: ValueError: too bright" in fault(done.output)
    assert done.folder.read_run()["state"] == "failed"

    segmented = command("segment", clips, "--model", save_model(name), out="segmented")
    assert segmented.code == 2
    assert f"model.features {name}: ValueError: too bright" in fault(segmented.output)


@pytest.fixture
def save_model(tmp_path) -> Callable[[str], Path]:
    """Saves a model of features that has learned nothing."""

    def save(features: str) -> Path:
        words = ["x", "--out", "x", *NARROW, "--model.features", features]
        streamer.save(Streamer(parse("train", words).model), tmp_path / "model.pt")
        return tmp_path / "model.pt"

    return save
