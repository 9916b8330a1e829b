"""Image files as pixels: decoding, the store, augmentation."""
