"""Devices, processes and number formats."""
