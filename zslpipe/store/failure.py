"""What a store records about an image without features."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One image that could not be read: its `path`, the `error` as one sentence, and the `decoder` that failed."""

    path: str
    error: str
    decoder: str
