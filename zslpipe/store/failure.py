"""What a store keeps about an image that gave no features."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One image that could not be read: its `path`, the `error` as one sentence, and the `decoder` that refused it."""

    path: str
    error: str
    decoder: str
