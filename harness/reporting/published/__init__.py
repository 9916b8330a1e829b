"""Results that papers report, and which runs they may be compared with."""
