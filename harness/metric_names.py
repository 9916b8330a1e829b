"""The names of the metrics, in the order in which tables show them, and the version of how they are computed."""

# Raised when the same ranking would give other figures; it is part of each record.
PROTOCOL_VERSION = 1
METRIC_NAMES = {"R1": "R@1", "R5": "R@5", "R10": "R@10", "mAP": "mAP", "mINP": "mINP"}
METRICS = ("R1", "R5", "R10", "mAP")
ALL_METRICS = (*METRICS, "mINP")
CUTOFFS = (1, 5, 10)
DIRECTIONS = ("t2i", "i2t")
