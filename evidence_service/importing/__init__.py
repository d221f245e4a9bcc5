"""Other people's captures are examined: what a file is, what it says of itself, and what is wrong with it."""
