"""A run's configuration: its fields, their defaults, help and search ranges, and its identity."""
