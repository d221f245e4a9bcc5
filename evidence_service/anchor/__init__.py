"""A digest reaches the chain and comes back as a proof that needs nobody."""
