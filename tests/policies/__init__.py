"""Tests of the rules over resource graphs."""
