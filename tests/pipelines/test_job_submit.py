"""Commands as jobs: `ray job submit` from the repository root to a head of the tests' own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.run_folder import RunFolder
from tests.pipelines.conftest import MODEL, write_vectors
from tests.pipelines.processes import await_true, needs_proc
from tests.pipelines.ray_head import RayHead, ray_head
from tests.pipelines.runs import check_run, hierarchies, tracked

pytestmark = [pytest.mark.ray, needs_proc]

ROOT = Path(__file__).parents[2]
ROWS = {"first": 40, "long": 4000}
LOOK = """
import json, os, ray
def look():
    import pipelines
    return {"package": pipelines.__file__, "word": os.environ.get("WORD"), "files": sorted(os.listdir())}
ray.init(logging_level="ERROR")
print(json.dumps([look(), ray.get(ray.remote(look).remote())]))
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with ray_head(tmp_path_factory.mktemp("home")) as running:
        yield running


def submission(head: RayHead, name: str, variables: dict[str, str], *words: object) -> list[str]:
    """Words after `ray` that submit a job from the current folder and follow it."""
    options = ["--address", head.address, "--working-dir", ".", "--submission-id", name]
    environment = json.dumps({"env_vars": variables})
    return ["job", "submit", *options, "--runtime-env-json", environment, "--", *map(str, words)]


def test_a_job_has_the_code_its_environment_and_its_words(head):
    """Of the folder nothing else travels, and a wrong word ends the job with one line."""
    look = 'python -c "$0" && python -m pipelines train "$@"'
    done = head.ray(
        *submission(head, "look", {"WORD": "two words"}, "sh", "-c", look, LOOK, "--workrs", "2"), cwd=ROOT
    )
    lines = done.stdout.splitlines()
    # Ray tells the end of the log a second time where a job failed.
    [found] = {line for line in lines if line.startswith('[{"package"')}
    for place in json.loads(found):
        assert "_ray_pkg_" in place["package"], "the copy of the folder, not what is installed"
        assert place["word"] == "two words"
        assert {"streamer", "pipelines", "configs"} <= set(place["files"])
        own = [name for name in place["files"] if not name.endswith((".yaml", ".csv"))]
        assert own == ["configs", "pipelines", "streamer"]
    assert done.returncode == 1
    assert "failed with exit code 2" in done.stdout
    assert {line for line in lines if line.startswith("error: ")} == {
        "error: unknown option --workrs (did you mean --workers?): see streamer train --help"
    }
    assert "Traceback" not in done.stdout


def test_a_job_that_is_stopped_goes_on_when_it_is_submitted_again(head, tmp_path, store):
    inputs, folder = tmp_path / "inputs", RunFolder(tmp_path / "run")
    inputs.mkdir()
    for name, rows in ROWS.items():
        write_vectors(inputs / f"{name}.npy", rows)
    variables = {"MLFLOW_TRACKING_URI": store}
    train = ["python", "-m", "pipelines", "train", inputs, "--out", folder.root, "--lanes", 2, *MODEL]

    stopped = stop_in_the_middle(head, submission(head, "stopped", variables, *train), folder, "stopped")
    assert "Job 'stopped' was stopped" in stopped
    assert "stopped: saving where the run is" in stopped
    assert "Traceback" not in stopped
    # Written before the end of the grace, after which Ray kills.
    assert folder.read_run()["state"] == "stopped"
    assert tracked(folder)[1].info.status == "KILLED"
    assert folder.read_run()["mlflow"]["uri"] == store
    assert not folder.hierarchy_of("long").exists()
    written = folder.hierarchy_of("first").stat().st_mtime_ns

    again = head.ray(*submission(head, "again", variables, *train), cwd=ROOT)
    assert again.returncode == 0, again.stdout
    assert "Job 'again' succeeded" in again.stdout
    assert f"going on with the run in {folder.root}" in again.stdout
    assert "training: " in again.stdout
    run = check_run(folder)
    assert run["videos"] == {"done": 2, "failed": 0, "skipped": 0}
    assert run["totals"]["snippets"] == sum(ROWS.values())
    assert {name: found.snippets for name, found in hierarchies(folder).items()} == ROWS
    assert folder.hierarchy_of("first").stat().st_mtime_ns == written
    assert tracked(folder)[1].info.status == "FINISHED"

    segmented = RunFolder(tmp_path / "segmented")
    segment = [
        "python",
        "-m",
        "pipelines",
        "segment",
        inputs,
        "--out",
        segmented.root,
        "--model",
        folder.root,
    ]
    done = head.ray(*submission(head, "segment", variables, *segment), cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert check_run(segmented)["command"] == "segment"
    assert {name: found.snippets for name, found in hierarchies(segmented).items()} == ROWS


def stop_in_the_middle(head: RayHead, words: list[str], folder: RunFolder, name: str) -> str:
    """Submits a training, and stops it by `ray job stop` when a video has ended; returns what it printed."""
    # Python and Ray take seconds to start, in which the training might end: so both are ready before.
    stop = head.start("job", "stop", "--address", head.address, name)
    job = head.start(*words, cwd=ROOT)
    assert job.stdin is not None
    job.stdin.write("\n")
    job.stdin.flush()
    await_true(lambda: folder.hierarchy_of("first").exists() or job.poll() is not None, "a hierarchy")
    told, _ = stop.communicate("\n")
    output, _ = job.communicate()
    assert stop.returncode == 0, told
    return output
