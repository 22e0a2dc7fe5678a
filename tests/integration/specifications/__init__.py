"""Tests of the commands for whoever brings a layout in."""
