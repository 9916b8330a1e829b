"""The command line: each file one command or group, each command one call into the engine."""
