"""What the commands do; heavy imports are at the top of these files, which load only when a command runs."""
