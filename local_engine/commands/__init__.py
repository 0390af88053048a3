"""One module per verb; each function takes the parsed flags and returns an exit code."""
