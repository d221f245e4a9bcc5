"""Certificates of every edition before other people's judges."""
