"""What the commands do, one module each. They import NumPy and others at the top, so commands import them last."""
