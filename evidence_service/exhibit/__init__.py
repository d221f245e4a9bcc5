"""The exhibit package for court and opponent: one ZIP, and what of the evidence is masked in it."""
