"""The backbone: any CLIP of open_clip, its tokens, weights, towers, and what may act inside them."""
