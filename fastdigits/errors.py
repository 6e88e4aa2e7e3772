"""The exception for errors that users can fix."""


class UserError(Exception):
    """An error whose message says what is wrong and how to fix it. Commands print it and exit with code 1."""
