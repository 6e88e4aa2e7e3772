"""Diagnose whether fastdigits works on this machine, and name commands that fix problems."""
