"""Long measurements.  `python -m tests.figures` takes all of them and writes docs/figures.json."""
