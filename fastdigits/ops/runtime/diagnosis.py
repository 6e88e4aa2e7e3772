"""The findings of a diagnosis of this machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One item of a diagnosis.

    Attributes
    ----------
    name, value : str
        What was examined and the result, such as "driver" and "for CUDA up to 13.0".
    problem : str, optional
        What is wrong with it, in half a sentence.
    remedy : str, optional
        The command that fixes the problem, or advice if there is no problem.
    """

    name: str
    value: str
    problem: str | None = None
    remedy: str | None = None


class Unavailable(Exception):
    """CUDA cannot be used, because of a problem (half a sentence) that a command may fix."""

    def __init__(self, problem: str, remedy: str | None = None):
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name if the message is empty."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
