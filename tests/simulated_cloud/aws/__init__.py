"""The simulated AWS, family by family."""
