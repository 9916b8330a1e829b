"""Retrieval metrics, their intervals, and the encoding of a split."""
