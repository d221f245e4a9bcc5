"""Pages by the outcome a capture of them has to have."""
