"""Statistics, leaderboards and comparisons of what the registry holds.

Reading: `results.load_results`.  Deciding: `statistics`, `leaderboard`, `compare`.  Showing: `render`.
Importing the package loads none of them, and none loads pyarrow, duckdb, numpy or rich before it is needed.
"""
