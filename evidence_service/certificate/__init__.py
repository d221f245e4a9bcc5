"""Verified facts become a signed PDF."""
