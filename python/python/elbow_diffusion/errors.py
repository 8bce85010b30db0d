"""Exceptions: one line of what and where, one line of what to do."""


class ElbowError(Exception):
    """Any error of elbow."""


class InputError(ElbowError, ValueError):
    """Bad usage or bad input. The command line ends with exit code 2 there."""


class MissingError(ElbowError, RuntimeError):
    """The environment lacks something: a library, weights, a device, room on the disk. Exit code 3."""


class InternalError(ElbowError, RuntimeError):
    """A defect of elbow. Exit code 4."""
