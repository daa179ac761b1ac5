"""The page about sweeps says what is so."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pipelines.cli import parse
from pipelines.sweep.config import SweepFile
from pipelines.sweep.plan import read_plan
from pipelines.sweep.space import NOT_SEARCHED

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "sweeps.md").read_text()


@pytest.mark.parametrize(("place", "trials"), [(0, 6), (1, 20)])
def test_its_files_are_sweeps(tmp_path, monkeypatch, place, trials):
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[place])
    plan = read_plan("sweep.yaml")
    assert len(plan.trials) == trials
    if place == 0:
        assert f"OUT/trials/{plan.trials[0].name}/" in PAGE


def test_its_commands_are_understood():
    for words in re.findall(r"^streamer (\w+ [^#\n]*)", PAGE, re.MULTILINE):
        parse(words.split()[0], words.split()[1:])


def test_it_tells_every_key_and_what_cannot_be_searched():
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == [
        *("out", "train", "space", "metric", "mode", "search", "samples", "seed", "concurrent", "max_failed")
    ]
    assert {field.name for field in fields(SweepFile)} == {
        name for row in rows for name in re.findall(r"`(\w+)`", row)
    }
    assert all(f"`{name}`" in PAGE for name in NOT_SEARCHED)
