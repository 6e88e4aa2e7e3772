"""The options and the help of each command. These modules import nothing slow."""
