"""Terminal output of running commands (progress bars, training lines, the dashboard), and the handling of Ctrl-C."""
