"""Exceptions for errors that users can fix."""


class UserError(Exception):
    """An error whose message says what is wrong and how to fix it. Commands print it and exit with code 1."""


class TrainingWarning(UserWarning):
    """Issued if a network is no better than chance after training."""


class NotFiniteError(UserError):
    """Raised instead of an answer if a network computes NaN or infinity."""

    def __init__(self) -> None:
        super().__init__(
            "The network computes NaN or infinity, because its weights are damaged or too large; "
            "train it again, with a lower --lr if the training diverged, or take another copy of the file."
        )
