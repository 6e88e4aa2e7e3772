"""Training settings, recipes and learning rate schedules. All defaults are defined here, each of them once."""
