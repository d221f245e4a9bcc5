"""What evidence is: formats that old certificates depend on. Pure: no I/O, no clock, no randomness."""
