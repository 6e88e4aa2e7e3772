"""The commands, one file each: options and help, light to import."""
