"""What goes beyond the plain loop of train.py: averages of weights, checkpoints, runs over seeds and folds."""
