"""Create a self-contained HTML page about a trained network."""
