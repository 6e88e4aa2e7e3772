"""Make matplotlib figures from data. Nothing here opens a file."""
