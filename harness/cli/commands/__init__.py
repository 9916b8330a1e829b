"""One file for each command; nothing heavy is imported before one is called."""
