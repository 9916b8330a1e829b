"""What methods are built from: batches, losses, schedules, the cross-modal encoder."""
