"""What the record names outside the database: the objects and tree files a backup has to hold.

A table with a digest of an object gets its line here, or its objects are in no backup.
"""

from __future__ import annotations

# Of a digest that others registered, there are no bytes here; those of certificates are among their PDFs.
_FILES = (
    "SELECT file ->> 'sha256' AS sha256 FROM evidence, jsonb_array_elements(capture -> 'files') AS file "
    "WHERE kind <> 'digest'"
)
_PDFS = "SELECT encode(sha256, 'hex') FROM certificate_pdfs"
_EXHIBITS = "SELECT encode(sha256, 'hex') FROM exhibits WHERE sha256 IS NOT NULL"

OBJECTS = " UNION ".join((_FILES, _PDFS, _EXHIBITS)) + " ORDER BY 1"
"""SHA-256 of every object, hexadecimal, each once."""

TREES = {
    "trees": "SELECT encode(commitment, 'hex') FROM batches ORDER BY sequence",
    "renewals": "SELECT id FROM renewals WHERE state <> 'open' ORDER BY sequence",
}
"""Folder of the data directory → names of its files. One that is missing is made again when it is asked."""
