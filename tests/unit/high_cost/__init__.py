"""Tests of high_cost."""
