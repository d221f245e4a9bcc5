"""Backups: the record, its objects, trees and keys as files that are checked without a database.

A directory holds any number of backups. What they share lies once in ``content/``, under its SHA-256; each
has a folder of its own for the rest, which gets its name when everything it names is on disk.
"""
