"""`python -m benchmarks hard_streams`: renders a part of the hard streams."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.hard_streams.corpus import render_part
from benchmarks.hard_streams.parts import PARTS


def main(arguments: Sequence[str]) -> int:
    """Renders what is asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hard_streams", description=__doc__)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--into", type=Path, required=True, help="folder that gets one of the part's name")
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    render_part(
        PARTS[options.part],
        options.into / options.part,
        workers=options.workers,
        progress=lambda name: print(f"{name}: {time.monotonic() - began:.0f} s"),
    )
    return 0
