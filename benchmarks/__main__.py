"""`python -m benchmarks`: measures, prints tables, and writes JSON where asked to."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import barrier, decoding, memory, model, report
from streamer.errors import StreamerError

TITLES = {
    "model": "Model: one thread, all levels from the start",
    "decoding": f"Decoding: {decoding.FRAME_SIZE} pixels squared, every {decoding.SNIPPET_S} s",
    "barrier": f"Barriers: {barrier.WORKERS} workers of the small model, gloo on the loopback",
    "memory": "Memory of a worker: the small model learns on one recording",
}
FILE_COLUMNS = 120  # width of tables where there is no terminal


def main(arguments: list[str] | None = None) -> int:
    """Runs the parts that are asked for.

    Returns:
        Exit code: 0, or 2 where something cannot be measured here.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(TITLES)}; by default all")
    parser.add_argument("--json", type=Path, help="file for all numbers, repetitions included")
    parser.add_argument("--video", type=Path, help="a video on which to measure the decoders too")
    parser.add_argument("--repetitions", type=int, default=5, help="of which medians are taken (default 5)")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(TITLES):
        parser.error(f"{', '.join(sorted(unknown))}: no such part; take some of {', '.join(TITLES)}")
    if options.repetitions < 1:
        parser.error(f"--repetitions must be at least 1, not {options.repetitions}")
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    results: dict[str, Any] = {"machine": report.machine()}
    try:
        for part in options.parts or TITLES:
            results[part] = _run(part, options.repetitions, options.video)
            report.show(TITLES[part], results[part], console)
        if options.json is not None:
            report.write(options.json, results)
    except (StreamerError, OSError) as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        return 2
    return 0


def _run(part: str, repetitions: int, video: Path | None) -> list[dict[str, Any]]:
    if part == "model":
        return model.run(repetitions)
    if part == "decoding":
        return decoding.run(video, repetitions)
    return barrier.run(repetitions) if part == "barrier" else memory.run()


if __name__ == "__main__":
    sys.exit(main())
