"""Data in, matplotlib figures out; nothing here opens a file."""
