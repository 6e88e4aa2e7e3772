"""The exception whose message is meant for the user."""


class UserError(Exception):
    """States in one sentence what is wrong and how to fix it. Commands print it and exit with code 1."""
