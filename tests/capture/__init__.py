"""Campaigns on captures, and the worlds they run in."""
