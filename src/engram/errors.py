"""The root of the errors that Engram raises on purpose."""


class EngramError(ValueError):
    """A value, file or setting that cannot be used; the message names it and the remedy.

    Any other exception that leaves Engram is a bug of Engram, or an OSError of the machine.
    """


class MissingPackageError(EngramError, ImportError):
    """An optional package that is not installed; the message says how to install it."""
