"""Errors that a user can act on: one line each, saying what is wrong, where, and what to do."""


class StreamerError(ValueError):
    """Base of every error that comes from what the user gave, not from a fault of this software."""


class ConfigError(StreamerError):
    """A configuration that is inconsistent or has unknown or ill-typed entries."""


class CheckpointError(StreamerError):
    """A checkpoint that cannot be read or does not fit what it is asked for."""


class FeatureError(StreamerError):
    """Frozen features that cannot be computed: code that cannot be loaded, fails, or gives something else."""


class HierarchyError(StreamerError):
    """A hierarchy of events that violates its contract (tiling, nesting, order)."""


class TruthError(StreamerError):
    """An annotation file that cannot be read or does not fit the videos."""


class VideoError(StreamerError):
    """An input whose snippets cannot be read.

    Attributes:
        uri: the file or address.
        time_s: seconds after the first frame up to which snippets were readable; None if none was.
        reason: what is wrong, without the name of the file.
        detail: the reason and the place in the recording, without the name of the file.
    """

    def __init__(self, uri: str, reason: str, time_s: float | None = None) -> None:
        where = f"at {time_s:.2f} s: " if time_s is not None else ""
        super().__init__(f"{uri}: {where}{reason}")
        self.uri = uri
        self.time_s = time_s
        self.reason = reason
        self.detail = f"{where}{reason}"

    def __reduce__(self) -> tuple[type["VideoError"], tuple[str, str, float | None]]:
        """Pickles by the constructor's arguments (exceptions pickle by their message otherwise)."""
        return type(self), (self.uri, self.reason, self.time_s)


class TruncatedVideoError(VideoError):
    """A file that ends before the duration it declares; every snippet up to `time_s` was delivered."""
