"""How much can be asked for: a number beyond is a mistake, told before anything is made of it."""

# Of what is counted in a config, such as epochs or pairs, and of a factor, a weight or a rate, either way.
MOST, LARGEST = 2**24, 1e6
# Of the parameters of a model, and of what else is told of systems from elsewhere.
MOST_TOLD = 10**13
# Of neighbours by which images are ranked again.
MOST_NEIGHBOURS = 100
# Of seeds of one configuration, of trials of a study, and of rows and runs of a suite.
MOST_SEEDS, MOST_TRIALS, MOST_ROWS, MOST_CELLS = 1000, 100_000, 1000, 20_000
# Of processes that one machine starts.
MOST_WORKERS = 1024
MOST_SECONDS = 1e9
# A seed is a whole number that every reader of JSON has exactly.
LARGEST_SEED = 2**53
