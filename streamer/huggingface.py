"""Vision encoders of Hugging Face's `transformers` as frozen features of frames.

Needs the extra `huggingface`. A frame is resized to what the encoder was trained with, normalised as its
preprocessor configuration says (or to mean 0.5 and deviation 0.5 where it has none), and becomes the
encoder's pooled output; or, where it has none or one that was never trained, the mean over its patches.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamer.errors import FeatureError

FRAME_SIZE = 224  # of encoders that do not say


class VisionEncoder(nn.Module):
    """An encoder with what it does to images before.

    Args:
        model: takes `pixel_values` `[T, 3, S, S]`.
        size: S, pixels.
        mean: of each colour, subtracted.
        deviation: of each colour, divided by.
        pooled: whether its pooled output was trained.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, model: nn.Module, size: int, mean: list[float], deviation: list[float], *, pooled: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.pooled = pooled
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])

    def forward(self, frames_T3HW: Tensor) -> Tensor:
        """Features `[T, K]` of RGB in [0, 1]."""
        size = (self.size, self.size)
        if frames_T3HW.shape[2:] != size:
            frames_T3HW = F.interpolate(frames_T3HW, size, mode="bilinear", antialias=True)
        output: Any = self.model(pixel_values=(frames_T3HW - self.mean) / self.deviation)
        pooled = getattr(output, "pooler_output", None)
        if pooled is not None and self.pooled:
            return pooled.flatten(1)
        states = output.last_hidden_state
        return (
            states.mean(dim=(2, 3)) if states.ndim == 4 else states[:, -self._patches(states) :].mean(dim=1)
        )

    def _patches(self, states_TNK: Tensor) -> int:
        """How many of the outputs stand for patches: the last ones, after a class token and the like."""
        side = getattr(self.model.config, "patch_size", None)
        count = states_TNK.shape[1]
        return min(count, (self.size // side) ** 2) if isinstance(side, int) else count


def load_encoder(name: str) -> VisionEncoder:
    """Loads an encoder, from a folder or by its name on the hub.

    Raises:
        FeatureError: `transformers` is missing, or there is no such encoder, or it takes no images.
    """
    try:
        import transformers
    except ImportError as error:
        raise FeatureError(
            f"model.features hf:{name}: needs `transformers`: pip install 'streamer-ray[huggingface]'"
        ) from error
    with _quiet():
        try:
            loaded: Any = transformers.AutoModel.from_pretrained(name, output_loading_info=True)
        except (OSError, ValueError) as error:
            raise FeatureError(
                f"model.features hf:{name}: cannot be loaded ({' '.join(str(error).split())[:300]}): "
                "name a model of the hub that this machine can reach, or a folder with one"
            ) from error
        model, info = loaded
        settings = _preprocessing(name)
    model = _vision_part(name, model)
    missing = sorted(info["missing_keys"])
    if unknown := [key for key in missing if "pool" not in key]:
        raise FeatureError(
            f"model.features hf:{name}: lacks {len(unknown)} of its parameters, such as {unknown[0]}: "
            "name a model that was saved whole"
        )
    size = _size(settings) or getattr(model.config, "image_size", None)
    return VisionEncoder(
        model,
        size if isinstance(size, int) else FRAME_SIZE,
        *_normalisation(settings),
        pooled=not missing,
    )


def _vision_part(name: str, model: Any) -> Any:
    """The part of a model that sees, where it also reads."""
    model = getattr(model, "vision_model", model)
    if getattr(model, "main_input_name", "pixel_values") != "pixel_values":
        raise FeatureError(f"model.features hf:{name}: takes {model.main_input_name}: name a vision encoder")
    return model


def _preprocessing(name: str) -> Mapping[str, Any]:
    """The preprocessor configuration; empty where there is none."""
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        settings, _ = ImageProcessingMixin.get_image_processor_dict(name)
    except OSError:
        return {}
    return settings


def _size(settings: Mapping[str, Any]) -> int | None:
    """Height and width of the images that an encoder sees."""
    size = settings.get("crop_size") if settings.get("do_center_crop") else None
    size = size or settings.get("size")
    if isinstance(size, Mapping):
        size = size.get("height") or size.get("shortest_edge")
    return size


def _normalisation(settings: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and deviation of the colours, of numbers from 0 to 1."""
    if not settings.get("do_normalize", True):
        return [0.0] * 3, [1.0] * 3
    return settings.get("image_mean") or [0.5] * 3, settings.get("image_std") or [0.5] * 3


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Loads without a report, a progress bar and a line per attempt to reach the hub on the terminal."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    before, hub_before = logging.get_verbosity(), hub_logging.get_verbosity()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        hub_logging.set_verbosity(hub_before)
        logging.enable_progress_bar()
