"""Several seeds of one method: their mean and interval, notes on them, how many a comparison needs."""
