"""Options and parameter types of the commands."""
