"""What is done in the browser during one capture, a step a file; :mod:`.visit` is what they share."""
