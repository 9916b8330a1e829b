"""The training loop, its batches, checkpoint and costs."""
