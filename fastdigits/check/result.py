"""What a check finds."""

from dataclasses import dataclass
from math import isinf


@dataclass(frozen=True)
class CheckResult:
    """How far something lies from what it should be, at most, as a share of what rounding explains.

    `compared` counts the calls or numbers that were compared; `failure` says what is wrong, if anything is.
    """

    subject: str
    compared: int
    error_over_tolerance: float
    failure: str | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.failure is None


def describe_excess(share: float) -> str:
    """In words, by how much an error is too large."""
    if isinf(share):
        return "a number is NaN, or differs where nothing is rounded"
    return f"its error is {share:.3g} times what rounding explains"
