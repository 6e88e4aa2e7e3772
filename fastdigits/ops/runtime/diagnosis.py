"""What a diagnosis is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One thing that was looked at; `problem` says what is wrong with it, `remedy` gives the command that mends it.

    A remedy without a problem is advice.
    """

    name: str
    value: str
    problem: str | None = None
    remedy: str | None = None


class Obstacle(Exception):
    """What is wrong in half a sentence, and the command that mends it, where there is one."""

    def __init__(self, problem: str, remedy: str | None = None):
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
