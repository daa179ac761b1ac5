"""`python -m benchmarks`: measures, prints tables, and writes JSON where asked to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import barrier, decoding, engine, memory, planning, report, scaling
from benchmarks.hard_streams import command as hard_streams
from benchmarks.quality import command as quality
from benchmarks.settings import command as settings
from streamer.errors import StreamerError

TITLES = {
    "engine": "Engine",
    "decoding": f"Decoding: {decoding.FRAME_SIZE} pixels squared, every {decoding.SNIPPET_S} s",
    "barrier": f"Barriers: {barrier.WORKERS} workers of the small model, gloo on the loopback",
    "memory": "Memory of a worker: the small model learns on one recording",
    "scaling": "One worker against two, and what barriers cost",
    "simulation": "Many workers, simulated",
}
COMMANDS = {"hard_streams": hard_streams.main, "quality": quality.main, "settings": settings.main}
"""What has arguments of its own: `python -m benchmarks NAME ...`."""

REPETITIONS = 5
FILE_COLUMNS = 120  # width of tables where there is no terminal


def main(arguments: list[str] | None = None) -> int:
    """Runs the parts that are asked for.

    Returns:
        Exit code: 0, or 2 where something cannot be measured here.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in COMMANDS:
        return COMMANDS[given[0]](given[1:])
    parser = _parser()
    options = parser.parse_args(given)
    if unknown := set(options.parts) - set(TITLES):
        parser.error(f"{', '.join(sorted(unknown))}: no such part; take some of {', '.join(TITLES)}")
    if options.repetitions is not None and options.repetitions < 1:
        parser.error(f"--repetitions must be at least 1, not {options.repetitions}")
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    results: dict[str, Any] = {"machine": report.machine()}
    report.introduce(results["machine"], console)
    try:
        for part in options.parts or TITLES:
            results[part] = _run(part, options, console)
        if options.json is not None:
            report.write(options.json, results)
    except (StreamerError, OSError) as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    of_engine = engine.Options()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(TITLES)}; by default all")
    parser.add_argument("--json", type=Path, help="file for all numbers, repetitions included")
    parser.add_argument("--video", type=Path, help="a video on which to measure engine and decoders too")
    parser.add_argument(
        "--repetitions",
        type=int,
        help=f"of which medians are taken (default {of_engine.repetitions} for engine, "
        f"{scaling.Options.repetitions} for scaling, {REPETITIONS} else)",
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="engine, scaling: what has this in its table's title"
    )
    parser.add_argument(
        "--quick", action="store_true", help="engine, scaling: only try whether everything runs"
    )
    group = parser.add_argument_group("engine")
    group.add_argument("--models", nargs="+", choices=of_engine.models, default=of_engine.models)
    group.add_argument("--lanes", nargs="+", type=int, default=of_engine.lanes, metavar="N")
    group.add_argument("--bf16_lanes", nargs="*", type=int, default=of_engine.bf16_lanes, metavar="N")
    group.add_argument("--threads", type=int, help="that models compute with (default: one per core)")
    group.add_argument("--device", choices=("cpu", "cuda"), default=of_engine.device)
    group.add_argument("--profile", action="store_true", help="also show where the time goes")
    planning.add_arguments(parser.add_argument_group("simulation"))
    return parser


def _run(part: str, options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    def show(title: str, rows: Sequence[report.Row]) -> None:
        report.show(title, rows, console)

    if part == "engine":
        return engine.run(_engine_options(options), show)
    if part == "simulation":
        return planning.run(planning.options_from(options), show)
    if part == "scaling":
        repetitions = options.repetitions or scaling.Options.repetitions
        return scaling.run(scaling.Options(options.only, repetitions, options.quick), show)
    repetitions = options.repetitions or REPETITIONS
    if part == "decoding":
        results = decoding.run(options.video, repetitions)
    else:
        results = barrier.run(repetitions) if part == "barrier" else memory.run()
    report.show(TITLES[part], results, console)
    return results


def _engine_options(options: argparse.Namespace) -> engine.Options:
    return engine.Options(
        models=tuple(options.models),
        video=options.video,
        only=options.only,
        lanes=tuple(options.lanes),
        bf16_lanes=tuple(options.bf16_lanes),
        repetitions=options.repetitions or engine.Options.repetitions,
        threads=options.threads,
        quick=options.quick,
        profile=options.profile,
        device=options.device,
    )


if __name__ == "__main__":
    sys.exit(main())
