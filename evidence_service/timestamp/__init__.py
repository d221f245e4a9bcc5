"""RFC 3161: a digest goes to time-stamping authorities and comes back as verified tokens."""
