"""Where the service may connect to: one policy for every connection that leaves it."""
