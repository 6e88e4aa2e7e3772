"""Report everything about a trained network on one self-contained HTML page."""
