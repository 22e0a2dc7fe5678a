"""Tests of continuity."""
