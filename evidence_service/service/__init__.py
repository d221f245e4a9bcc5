"""The use cases as durable workflows, one verb a file."""
