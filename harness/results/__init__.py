"""Tracked runs as rows: seeds combined, results compared, methods ranked."""
