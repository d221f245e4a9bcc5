"""A listing becomes files and a record of how they came to be."""
