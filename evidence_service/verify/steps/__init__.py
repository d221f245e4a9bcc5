"""The numbered steps of ``docs/spec/verification.md``, one module for each level."""
