"""Writes a twin's captions."""
