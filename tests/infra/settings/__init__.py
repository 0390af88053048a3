"""Tests of the settings: what is read, derived and refused before anything is deployed."""
