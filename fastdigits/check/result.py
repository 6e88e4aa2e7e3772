"""The result of a check."""

from dataclasses import dataclass
from math import isinf


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Parameters
    ----------
    subject : str
        What was checked.
    compared : int
        Number of calls or values that were compared.
    error_over_tolerance : float
        The largest error, divided by the error that rounding can cause.
    failure : str, optional
        What is wrong; None if the check passed.
    """

    subject: str
    compared: int
    error_over_tolerance: float
    failure: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the check passed."""
        return self.failure is None


def describe_excess(error_over_tolerance: float) -> str:
    """Describe by how much an error exceeds the tolerance."""
    if isinf(error_over_tolerance):
        return "a value is NaN, or differs where nothing is rounded"
    return f"its error is {error_over_tolerance:.3g} times the tolerance"
