"""What must never be lost: records in PostgreSQL, bytes in a content-addressed store."""
