"""The exceptions of the package: one root, and each class is also a standard one, so `except ValueError` still works."""

import importlib.util
from collections.abc import Iterable
from difflib import get_close_matches


class DsMathError(Exception):
    """Root of every error that `trl_dsmath` raises on purpose."""


class ConfigError(DsMathError, ValueError):
    """A setting, or a combination of settings, that cannot work. The message holds the fix."""


class DataError(DsMathError, ValueError):
    """A file, a column or a row that cannot be used. The message names it and holds the fix."""


class GradingError(DsMathError, RuntimeError):
    """The grading workers could not be started or kept alive."""


class SandboxError(DsMathError, RuntimeError):
    """No isolation backend is available, or the one in use broke. The message says what to install."""


class MissingDependencyError(DsMathError, ImportError):
    """An optional dependency is absent. The message names the extra to install."""


class HubError(DsMathError, RuntimeError):
    """A finished model or data set could not be pushed. The message says where it is and how to push it."""


def did_you_mean(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> str:
    """The end of a message about a name that is not known: the nearest ones, or nothing where none is near."""
    close = get_close_matches(name, list(known), n=most, cutoff=cutoff)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def need(module: str, what: str, extra: str) -> None:
    """Raises [`MissingDependencyError`] where a module of an extra is absent. `what` is a plural that needs it."""
    if importlib.util.find_spec(module) is None:
        raise MissingDependencyError(f"{what} need {module}: pip install 'trl-dsmath[{extra}]'")
