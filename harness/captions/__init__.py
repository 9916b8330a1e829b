"""Captions as text: their words, augmentation and masking."""
