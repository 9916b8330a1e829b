"""What a protocol does to data beside splits: captions that are moved, galleries of lower resolution, joined sets."""
