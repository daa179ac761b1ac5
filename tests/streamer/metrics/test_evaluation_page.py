"""The example in docs/evaluation.md gives the figures that its comments say."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evaluation.md").read_text()


def test_the_example_gives_the_figures_it_names():
    example = next(iter(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)))
    known: dict[str, object] = {}
    figures = 0
    for line in example.splitlines():
        stated = re.fullmatch(r"(\S.*)  # (\d[\d.]*)", line)
        if stated:
            assert eval(stated[1], known) == pytest.approx(float(stated[2]), abs=5e-5)
            figures += 1
        else:
            exec(line, known)
    assert figures == 2
