"""What `harness runs` does with its options: list, show, re-read and change recorded runs."""
