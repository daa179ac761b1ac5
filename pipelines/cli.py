"""The command line: parses it, runs a command, turns users' errors into one line and exit code 2."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NoReturn, get_type_hints

from jsonargparse import ArgumentParser
from rich.console import Console

from pipelines.config import DemoConfig, DoctorConfig, EvaluateConfig, SegmentConfig, TrainConfig
from streamer.config import nearest
from streamer.errors import StreamerError

CONFIGS: dict[str, type] = {
    "demo": DemoConfig,
    "train": TrainConfig,
    "segment": SegmentConfig,
    "evaluate": EvaluateConfig,
    "doctor": DoctorConfig,
}
POSITIONAL = {"inputs": "+", "run": None}
WRONG_USAGE = 2
PLAIN_WIDTH = 110  # columns where the output is no terminal
INTERRUPTED = 130  # what shells report for a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: words after the program's name; by default those of the process.

    Returns:
        Exit code: 0 done, 1 some videos failed beyond what was allowed, 2 wrong usage or configuration,
        130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(overview())
        return 0 if words else WRONG_USAGE
    if words[0] == "--version":
        sys.stdout.write(f"streamer {version('streamer-ray')}\n")
        return 0
    command = words[0]
    if command not in CONFIGS:
        sys.stderr.write(f"error: unknown command {command}{nearest(command, list(CONFIGS))}: see streamer --help\n")
        return WRONG_USAGE
    try:
        return run(command, parse(command, words[1:]), make_console())
    except StreamerError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG_USAGE
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def make_console() -> Console:
    """Where commands print: as wide as the terminal, or wide enough for tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def overview() -> str:
    """What `streamer --help` prints."""
    lines = [f"  {name:10s} {_summary(config)}" for name, config in CONFIGS.items()]
    return "\n".join(
        [
            "usage: streamer COMMAND [OPTION...]",
            "",
            "Hierarchies of events from unlabelled video, learned while it streams by.",
            "",
            *lines,
            "",
            "streamer COMMAND --help tells a command's options.",
            "",
        ]
    )


def parse(command: str, words: Sequence[str]) -> Any:
    """The configuration that the words after `command` ask for.

    Raises:
        ConfigError: the values are inconsistent.
        SystemExit: the words cannot be understood (2), or asked for help (0).
    """
    config = CONFIGS[command]
    parser = OneLineParser(prog=f"streamer {command}", description=_summary(config))
    parser.known = _option_names(config)
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    positional = [name for name in POSITIONAL if name in get_type_hints(config)]
    for name in positional:
        parser.add_argument(name, type=str, nargs=POSITIONAL[name], help=_attribute_help(config, name))
    parser.add_class_arguments(config, as_group=False, skip=set(positional))
    # Option names have underscores, as keys of the YAML file do; dashes are taken too.
    words = [re.sub(r"^--[\w.\-]+", lambda m: "--" + m[0][2:].replace("-", "_"), word) for word in words]
    parsed = parser.instantiate(parser.parse_args(words))
    return config(**{field.name: getattr(parsed, field.name) for field in dataclasses.fields(config)})


def run(command: str, config: Any, console: Console) -> int:
    """Runs a command; each is imported only when it is asked for, so that help comes at once."""
    if command == "train":
        from pipelines.train import train

        return train(config, console)
    if command == "segment":
        from pipelines.segment import segment

        return segment(config, console)
    if command == "evaluate":
        from pipelines.evaluate import evaluate

        return evaluate(config, console)
    if command == "demo":
        from pipelines.demo.command import demo

        return demo(config, console)
    from pipelines.doctor import doctor

    return doctor(config, console)


class OneLineParser(ArgumentParser):
    """A parser whose errors are one line that names the nearest known option.

    Attributes:
        known: names of all options.
    """

    known: Sequence[str] = ()

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Writes the error and exits with 2."""
        sys.stderr.write(f"error: {self._explain(re.sub(chr(10) + ' *', ' ', message).strip())}\n")
        sys.exit(WRONG_USAGE)

    def _explain(self, line: str) -> str:
        unknown = re.search(r"unrecognized arguments: (?:--)?([^\s=]+)", line)
        if unknown:
            return f"unknown option --{unknown[1]}{self._nearest(unknown[1], '--')}: see {self.prog} --help"
        unknown = re.search(r"(?:Group '([\w.]+)' )?does not accept option '([\w.]+)'", line)
        if unknown:
            name = f"{unknown[1]}.{unknown[2]}" if unknown[1] else unknown[2]
            return f"unknown key {name}{self._nearest(name, '')}: see {self.prog} --help"
        missing = re.search(r"arguments are required: (.*)", line)
        if missing:
            names = [name if name in POSITIONAL else f"--{name}" for name in missing[1].split(", ")]
            return f"{', '.join(names)} must be given: see {self.prog} --help"
        return re.sub(r"Parser key \"([\w.]+)\":", r"--\1:", line)

    def _nearest(self, name: str, dashes: str) -> str:
        return nearest(dashes + name, [dashes + known for known in self.known])


def _option_names(config: type, prefix: str = "") -> list[str]:
    names = []
    for name, kind in get_type_hints(config).items():
        names.append(prefix + name)
        if dataclasses.is_dataclass(kind):
            names += _option_names(kind, f"{prefix}{name}.")  # type: ignore[arg-type]
    return names


def _summary(config: type) -> str:
    return (inspect.getdoc(config) or "").split("\n\n")[0].replace("\n", " ")


def _attribute_help(config: type, name: str) -> str:
    attributes = (inspect.getdoc(config) or "").split("Attributes:")[-1]
    found = re.search(rf"^    {name}: (.*?)(?=^    \w+:|\Z)", attributes, re.MULTILINE | re.DOTALL)
    assert found, f"{config.__name__}.{name} is not documented"
    return re.sub(r"\s+", " ", found[1]).strip()
