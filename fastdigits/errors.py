"""The one exception that a user is meant to read."""


class UserError(Exception):
    """What is wrong and how to mend it, in one sentence; the command prints it and exits with code 1."""
