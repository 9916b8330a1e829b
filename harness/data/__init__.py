"""From a dataset's files to the splits that a run works on."""
