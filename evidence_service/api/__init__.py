"""The evidence capture API over HTTP."""
