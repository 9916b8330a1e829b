"""Synthetic twins: rendered pedestrians with grammar-made captions, in the on-disk format of a real dataset."""
