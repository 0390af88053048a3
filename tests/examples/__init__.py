"""Tests of the examples: each runs as its page says."""
