"""Screens that only look: they read files and names, and import nothing that computes."""
