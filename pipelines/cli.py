"""The command line: parses it, runs a command, turns users' errors into one line and exit code 2."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin

import yaml
from jsonargparse import ArgumentParser
from rich.console import Console

from pipelines.baselines.config import BaselineConfig
from pipelines.bench import BenchConfig
from pipelines.comparison.config import CompareConfig
from pipelines.config import DemoConfig, DoctorConfig, EvaluateConfig, SegmentConfig, TrainConfig
from pipelines.cut_config import CutConfig
from pipelines.exports.config import ExportConfig
from pipelines.interruption import INTERRUPTED
from pipelines.options import describe, flatten, option_types
from pipelines.recipes import model_values
from pipelines.report.config import ReportConfig
from pipelines.sweep.config import SweepConfig
from streamer.config import nearest, require
from streamer.errors import ConfigError, StreamerError


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        config: what can be asked of it.
        entry: `module:function` that runs it, imported only when it is asked for, so that help comes at once.
    """

    config: type
    entry: str


COMMANDS = {
    "demo": Command(DemoConfig, "pipelines.demo.command:demo"),
    "train": Command(TrainConfig, "pipelines.train:train"),
    "segment": Command(SegmentConfig, "pipelines.segment:segment"),
    "baseline": Command(BaselineConfig, "pipelines.baselines.command:baseline"),
    "cut": Command(CutConfig, "pipelines.cut:cut"),
    "evaluate": Command(EvaluateConfig, "pipelines.evaluate:evaluate"),
    "compare": Command(CompareConfig, "pipelines.comparison.command:compare"),
    "export": Command(ExportConfig, "pipelines.exports.command:export"),
    "report": Command(ReportConfig, "pipelines.report.command:report"),
    "sweep": Command(SweepConfig, "pipelines.sweep.command:sweep"),
    "doctor": Command(DoctorConfig, "pipelines.doctor:doctor"),
    "bench": Command(BenchConfig, "pipelines.bench:bench"),
}
CONFIGS = {name: command.config for name, command in COMMANDS.items()}
POSITIONAL = {"name": None, "file": None, "inputs": "+", "run": None, "runs": "+"}
"""Options that are given by place, in this order: `+` takes one or more words."""

WRONG_USAGE = 2
PLAIN_WIDTH = 110  # columns where the output is no terminal


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
        sys.stderr.write(
            f"error: unknown command {command}{nearest(command, list(CONFIGS))}: see streamer --help\n"
        )
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
        ConfigError: a configuration file that cannot be used, or values that are inconsistent.
        SystemExit: the words cannot be understood (2), or asked for help (0).
    """
    config = CONFIGS[command]
    options = option_types(config)
    parser = OneLineParser(prog=f"streamer {command}", description=_summary(config), allow_abbrev=False)
    parser.options = options
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    positional = [name for name in POSITIONAL if name in options]
    for name in positional:
        kind = str if POSITIONAL[name] == "+" else options[name]
        parser.add_argument(
            name, metavar=name, type=kind, nargs=POSITIONAL[name], help=_attribute_help(config, name)
        )
    parser.add_class_arguments(config, as_group=False, skip=set(positional))
    files, others = _split(words, options)
    contents = [_read_file(file, options) for file in files]
    if "recipe" in options:
        parser.set_defaults(model_values(_given(contents, others)))
    # Files come first: what the command line says overrides them.
    parsed = parser.instantiate(parser.parse_args([*(f"--config={file}" for file in files), *others]))
    return config(**{field.name: getattr(parsed, field.name) for field in dataclasses.fields(config)})


def _split(words: Sequence[str], options: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Takes the names of configuration files out of the words, and spells options as the parser does."""
    files: list[str] = []
    others: list[str] = []
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":  # what follows are no options
            others += [word, *rest]
            break
        if word == "--config" and rest:
            files.append(rest.popleft())
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
        else:
            # Names have underscores, as keys of the YAML file do; dashes are taken too.
            spelled = re.sub(r"^--[\w.\-]+", lambda name: "--" + name[0][2:].replace("-", "_"), word)
            switch = spelled.startswith("--") and options.get(spelled[2:]) is bool
            valued = bool(rest) and rest[0].lower() in ("true", "false")
            spelled = _joined(spelled, rest, options)
            others.append(f"{spelled}=true" if switch and not valued else spelled)
    return files, others


def _joined(word: str, rest: deque[str], options: Mapping[str, Any]) -> str:
    """Spells `--name a b`, where the option takes a list, as the parser does: `--name=["a", "b"]`.

    Args:
        word: an option, with a value after `=` or without, or any other word.
        rest: the words after it; those that are values are taken out.
        options: names of all options, with their types.
    """
    name, equals, value = word.partition("=")
    kind = options.get(name[2:]) if name.startswith("--") else None
    kinds = [part for part in (kind, *get_args(kind)) if get_origin(part) in (list, tuple)]
    if not kinds:
        return word
    values = [value] if equals else []
    while not equals and rest and not rest[0].startswith("--"):
        values.append(rest.popleft())
    if not values or (len(values) == 1 and values[0].startswith("[")):
        return "=".join([name, *values])
    element = get_args(kinds[0])[0]
    texts = values if element in (int, float, bool) else [json.dumps(value) for value in values]
    return f"{name}=[{', '.join(texts)}]"


def _given(files: Sequence[Mapping[str, Any]], words: Sequence[str]) -> dict[str, Any]:
    """Options that files and the command line give, by dotted names, as far as they are one word."""
    given: dict[str, Any] = {}
    for content in files:
        given |= flatten(content)
    for word, following in zip_longest(words, words[1:]):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            given[name[2:]] = value if equals else following
    return given


def _read_file(path: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Reads a configuration file; refuses one that the parser would misread, or refuse in words of its own.

    Raises:
        ConfigError: naming the file, the key and the remedy.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): name a YAML file") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: is not YAML ({' '.join(str(error).split())}): correct it") from error
    require(isinstance(content, Mapping), f"{path}: holds no options: write one `name: value` per line")
    _check_keys(path, content, options, "")
    return content


def _check_keys(path: str, values: Mapping[Any, Any], options: Mapping[str, Any], prefix: str) -> None:
    for key, value in values.items():
        name = f"{prefix}{key}"
        require(name in options, f"{path}: unknown key {name}{nearest(name, list(options))}")
        kind = options[name]
        if dataclasses.is_dataclass(kind):
            require(isinstance(value, Mapping), f"{path}: {name} must hold options of its own, not {value!r}")
            _check_keys(path, value, options, f"{name}.")
        else:
            fits = isinstance(value, list) if get_origin(kind) is list else value is not None
            optional = type(None) in get_args(kind)
            require(fits or optional, f"{path}: {name} must be {describe(kind)}, not {value!r}")
            if kind in (str, str | None) and not isinstance(value, str | None):
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                raise ConfigError(f'{path}: {name} must be text, not {value!r}: write {name}: "{text}"')


def run(command: str, config: Any, console: Console) -> int:
    """Runs a command."""
    module, function = COMMANDS[command].entry.split(":")
    return getattr(import_module(module), function)(config, console)


class OneLineParser(ArgumentParser):
    """A parser whose errors are one line that names the nearest known option.

    Attributes:
        options: names of all options, with their types.
    """

    options: Mapping[str, Any] = {}

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Writes the error and exits with 2."""
        sys.stderr.write(f"error: {self._explain(' '.join(message.split()))}: see {self.prog} --help\n")
        sys.exit(WRONG_USAGE)

    def _hint(self, word: str) -> str:
        """How several lengths of time are written, where the word is one."""
        length = "timescales" in self.options and re.fullmatch(r"[\d.]+[smh]?", word)
        return ": divide lengths of --timescales by commas, as in 2s,10s,60s" if length else ""

    def _explain(self, line: str) -> str:
        unknown = re.search(r"unrecognized arguments: (-*)([^\s=]+)", line)
        if unknown:
            dashes, name = unknown.groups()
            near = nearest(f"--{name}", [f"--{option}" for option in self.options])
            unexpected = f"unexpected word {name}{self._hint(name)}"
            return f"unknown option {dashes}{name}{near}" if dashes else unexpected
        unloaded = re.search(r"\"([\w.]+)\": Unable to load config '(.*?)'", line)
        if unloaded:
            return f"--{unloaded[1]} must name a YAML file with its options, not {unloaded[2]}"
        missing = re.search(r"arguments are required: (.*)", line)
        if missing:
            names = [name if name in POSITIONAL else f"--{name}" for name in missing[1].split(", ")]
            return f"{', '.join(names)} must be given"
        lacking = re.search(r"argument (--[\w.]+)(?:/\S+)?: expected one argument", line)
        if lacking:
            return f"{lacking[1]} needs a value"
        ill_typed = re.search(r"(?:--|key \")([\w.]+)\"?: .*(?:Got|Given) value: (.*)", line)
        if ill_typed and ill_typed[1] in self.options:
            name, value = ill_typed.groups()
            shown = name if name in POSITIONAL else f"--{name}"
            return f"{shown} must be {describe(self.options[name])}, not {value}"
        return line


def _summary(config: type) -> str:
    return (inspect.getdoc(config) or "").split("\n\n")[0].replace("\n", " ")


def _attribute_help(config: type, name: str) -> str:
    attributes = (inspect.getdoc(config) or "").split("Attributes:")[-1]
    found = re.search(rf"^    {name}: (.*?)(?=^    \w+:|\Z)", attributes, re.MULTILINE | re.DOTALL)
    assert found, f"{config.__name__}.{name} is not documented"
    return re.sub(r"\s+", " ", found[1]).strip()
