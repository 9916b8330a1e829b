"""A hyper-parameter search: its space, its trials, its outcome."""
