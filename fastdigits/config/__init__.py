"""Settings of training, recipes and schedules: every default is defined here once."""
