"""Does it hold: bytes, policy and time in, a report out. The only verification engine there is."""
