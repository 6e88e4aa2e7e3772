"""Diagnose whether fastdigits works on this machine, and name the command that fixes what does not."""
