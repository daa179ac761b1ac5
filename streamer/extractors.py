"""Frozen features of frames as level 0's input: built in, of any torch module, or of a Hugging Face encoder.

- `comb`: the palette (`streamer.palette`), then what `streamer.features` computes, projected to the other
  numbers and as long as it was on average.
- `package.module:factory`: what `factory()` returns, a `torch.nn.Module` from float32 RGB `[T, 3, H, W]` in
  [0, 1] to `[T, K]`. It is imported from the Python environment or the working folder, put into evaluation
  mode, and runs on the CPU without gradients.
- `hf:NAME_OR_FOLDER`: a vision encoder, as `streamer.huggingface` loads it.

K features of the others are brought to the model's D by `streamer.projection`, or stay as they are where
K = D.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streamer.errors import FeatureError, StreamerError
from streamer.features import FEATURE_DIM, frame_features
from streamer.palette import PALETTE_DIM, frame_palettes
from streamer.projection import project

if TYPE_CHECKING:
    from torch import nn

COMB = "comb"
HUGGING_FACE = "hf:"
BATCH = 16  # frames that a torch module sees at once, always


class Extractor(Protocol):
    """Features of frames, which depend neither on other frames nor on how many come at once."""

    def __call__(self, frames_THW3: np.ndarray, first: int = 0) -> np.ndarray:
        """Computes features.

        Args:
            frames_THW3: uint8 RGB, T at least 1.
            first: place of the first of them in the video.

        Returns:
            float32 `[T, D]`.

        Raises:
            FeatureError: the code of the user's features failed, or gave something else than features.
        """
        ...


def is_extractor_name(name: str) -> bool:
    """Whether `name` has the form of one of the three kinds."""
    names = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
    return name == COMB or re.fullmatch(rf"{HUGGING_FACE}\S.*|{names}:{names}", name) is not None


def located(name: str) -> str:
    """The same features by a name that means the same in every folder."""
    folder = Path(name.removeprefix(HUGGING_FACE))
    return f"{HUGGING_FACE}{folder.absolute()}" if name.startswith(HUGGING_FACE) and folder.is_dir() else name


@functools.lru_cache(maxsize=2)
def open_extractor(name: str, dim: int) -> Extractor:
    """Loads what computes features of `dim` numbers.

    Args:
        name: see the head of this file.
        dim: D.

    Raises:
        FeatureError: it cannot be loaded.
    """
    if name == COMB:
        if not PALETTE_DIM < dim <= PALETTE_DIM + FEATURE_DIM:
            raise FeatureError(
                f"model.features `comb` gives from {PALETTE_DIM + 1} to {PALETTE_DIM + FEATURE_DIM} numbers: "
                f"model.feature_dim must be such a number, not {dim}"
            )
        return functools.partial(_comb, dim)
    return ModuleFeatures(name, dim, load_module(name))


def _comb(dim: int, frames_THW3: np.ndarray, first: int = 0) -> np.ndarray:
    """The palette and the projected features of frames."""
    width = dim - PALETTE_DIM
    features = project(frame_features(frames_THW3), width) * np.float32(math.sqrt(FEATURE_DIM / width))
    return np.concatenate([frame_palettes(frames_THW3), features], axis=1)


def check_extractor(name: str, dim: int, frame_size: int) -> None:
    """Makes sure that features can be computed, by computing those of a black frame.

    Raises:
        FeatureError: they cannot.
    """
    open_extractor(name, dim)(np.zeros((1, frame_size, frame_size, 3), np.uint8))


class ModuleFeatures:
    """Features that a torch module computes, always of `BATCH` frames at once.

    A frame stands in the batch where its place in the video puts it, between black ones where there are no
    others: so its features are the same to the bit, wherever decoding began.

    Args:
        name: of the features, for messages.
        dim: D.
        module: from float32 `[T, 3, H, W]` in [0, 1] to `[T, K]`.
    """

    def __init__(self, name: str, dim: int, module: nn.Module) -> None:
        self._name = name
        self._dim = dim
        self._module = module.eval().requires_grad_(False)

    def __call__(self, frames_THW3: np.ndarray, first: int = 0) -> np.ndarray:
        """As `Extractor`."""
        features, done = [], 0
        while done < len(frames_THW3):
            place = (first + done) % BATCH
            chunk = frames_THW3[done : done + BATCH - place]
            features.append(self._compute(chunk, place))
            done += len(chunk)
        return project(np.concatenate(features), self._dim)

    def _compute(self, frames_THW3: np.ndarray, place: int) -> np.ndarray:
        """Features before they are projected, of frames that stand at `place` and behind it in a batch."""
        import torch

        batch = np.zeros((BATCH, *frames_THW3.shape[1:]), np.uint8)
        batch[place : place + len(frames_THW3)] = frames_THW3
        with _told(self._name), torch.inference_mode():
            output: Any = self._module(torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255)
        if not isinstance(output, torch.Tensor):
            raise self._unfit(f"gave {type(output).__name__} instead of a tensor [T, K]")
        if output.ndim != 2 or len(output) != BATCH or not output.is_floating_point():
            kind = str(output.dtype).removeprefix("torch.")
            raise self._unfit(
                f"gave {kind} {list(output.shape)} for {BATCH} frames instead of float [{BATCH}, K]"
            )
        if output.shape[1] < self._dim:
            raise self._unfit(
                f"gives {output.shape[1]} numbers per frame, fewer than model.feature_dim {self._dim}: "
                f"set model.feature_dim to at most {output.shape[1]}"
            )
        features = output[place : place + len(frames_THW3)].float().numpy()
        if not np.isfinite(features).all():
            raise self._unfit("gave numbers that are not finite")
        return features

    def _unfit(self, what: str) -> FeatureError:
        return FeatureError(f"model.features {self._name}: {what}")


def load_module(name: str) -> nn.Module:
    """Loads the torch module that computes the features `name`.

    Raises:
        FeatureError: it cannot be loaded.
    """
    from torch import nn

    with _told(name):
        if name.startswith(HUGGING_FACE):
            from streamer.huggingface import load_encoder

            return load_encoder(name.removeprefix(HUGGING_FACE))
        module: Any = _factory(name)()
    if not isinstance(module, nn.Module):
        raise FeatureError(
            f"model.features {name}: gave {type(module).__name__} instead of a torch.nn.Module: "
            "name a function without arguments that returns one"
        )
    return module


def _factory(name: str) -> Callable[[], Any]:
    """The function that `package.module:factory` names."""
    package, _, path = name.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        found: Any = importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{package}.".startswith(f"{error.name}."):
            raise
        raise FeatureError(
            f"model.features {name}: there is no module {error.name}: it is looked for in the Python "
            f"environment and in {folder}{_without_suffix(package, path)}"
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise FeatureError(f"model.features {name}: {package} has no {path}: name a function in it")
        found = getattr(found, part)
    return found


def _without_suffix(package: str, path: str) -> str:
    """A hint where the name of a file stands for that of a module."""
    return f": write {package.removesuffix('.py')}:{path}" if package.endswith(".py") else ""


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what fails in code that is not this software's into one line that says where."""
    try:
        yield
    except StreamerError:
        raise
    except (Exception, SystemExit) as error:  # modules that are scripts may end the process
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        message = " ".join(f"{type(error).__name__}: {text}".split())
        raise FeatureError(f"model.features {name}: {message} ({_place(error)}): correct that") from error


def _place(error: BaseException) -> str:
    """Where code that is not this software's failed, as far as it is known."""
    if isinstance(error, SyntaxError):  # the code that cannot be read is not among the calls
        return f"{error.filename}, line {error.lineno}"
    calls = traceback.extract_tb(error.__traceback__)
    others = [call for call in calls if call.filename != __file__ and not call.filename.startswith("<frozen")]
    theirs = [call for call in others if "site-packages" not in call.filename]
    for call in reversed(theirs or others):
        return f"{call.filename}, line {call.lineno}"
    return "it must be a function without arguments"
