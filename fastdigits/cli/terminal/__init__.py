"""What commands show while they work: progress bars, training lines, the dashboard, and Ctrl-C."""
