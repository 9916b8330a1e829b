"""Draws a twin's people and scenes."""
