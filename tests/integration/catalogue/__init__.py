"""Tests of the commands on the catalogue."""
