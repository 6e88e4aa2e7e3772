"""Options, arguments and parameter types that several commands share."""
