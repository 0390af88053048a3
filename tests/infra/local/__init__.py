"""Tests of the platform on one machine."""
