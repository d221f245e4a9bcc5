"""What the record names outside the database: the objects and tree files a backup has to hold.

A table with a digest of an object gets its line here, or its objects are in no backup. What was deleted is
not named: its bytes are gone, or are going, and a restore must not bring them back.
"""

from __future__ import annotations

# Files of evidence and masked copies of them; of a digest that was only stated there are no bytes here.
_FILES = (
    "SELECT encode(sha256, 'hex') AS sha256 FROM kept_files WHERE NOT EXISTS "
    "(SELECT FROM tombstones WHERE tombstones.evidence_id = kept_files.evidence_id)"
)
# An issued certificate verifies for ever, also of evidence that is deleted.
_PDFS = "SELECT encode(sha256, 'hex') FROM certificate_pdfs"
_EXHIBITS = (
    "SELECT encode(sha256, 'hex') FROM exhibits WHERE status = 'made' AND NOT EXISTS "
    "(SELECT FROM tombstones WHERE exhibits.evidence ? tombstones.evidence_id)"
)

# What was masked in evidence is in a document of its own, which its custody log names.
_REDACTIONS = (
    "SELECT event ->> 'after' FROM custody_events WHERE event ->> 'action' = 'redact' AND NOT EXISTS "
    "(SELECT FROM tombstones WHERE tombstones.evidence_id = custody_events.evidence_id)"
)

OBJECTS = " UNION ".join((_FILES, _PDFS, _EXHIBITS, _REDACTIONS)) + " ORDER BY 1"
"""SHA-256 of every object, hexadecimal, each once."""

TREES = {
    "trees": "SELECT encode(commitment, 'hex') FROM batches ORDER BY sequence",
    "renewals": "SELECT id FROM renewals WHERE state <> 'open' ORDER BY sequence",
}
"""Folder of the data directory → names of its files. One that is missing is made again when it is asked."""
