"""The two ways in which a command ends badly."""


class ZslpipeError(Exception):
    """Something failed while a sound request was carried out: one sentence, exit code 1."""

    exit_code = 1


class RequestError(ZslpipeError):
    """The request or its input was wrong: one sentence that names file, row and remedy, exit code 2."""

    exit_code = 2
