"""Checks a dataset's files before they are used."""
