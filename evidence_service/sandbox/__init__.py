"""Demonstration parts: dev chain, authorities, seal PKI, sample marketplace. Never evidence."""
