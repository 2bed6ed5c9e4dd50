"""What zslpipe raises on purpose: each message is one sentence, each class carries the exit code of a command.

Everything derives from `ZslpipeError`, so `except zslpipe.ZslpipeError` catches all of it and nothing else.
"""


class ZslpipeError(Exception):
    """A valid request failed: a full disk, a training that diverged, a damaged file. Exit code 1."""

    exit_code = 1


class DivergedError(ZslpipeError):
    """A loss, weight or score became NaN or infinite."""


class DamagedError(ZslpipeError):
    """A file is not what was written."""


class LockedError(ZslpipeError):
    """Another process or thread holds what this one needs."""


class InputError(ZslpipeError, ValueError):
    """The request or its input is wrong: the message names file, row and remedy. Exit code 2."""

    exit_code = 2


class OtherVersionError(InputError):
    """A file has a format that this version of zslpipe does not know."""


class UnknownNameError(InputError, LookupError):
    """No head, backbone, dataset, setting, ... has this name."""


class NotFittedError(InputError, AttributeError):
    """A head was asked for scores before `fit`."""


class LeakError(InputError):
    """Features were made by a model that has seen labels which this use must not have seen."""
