"""Tests of the monthly agreement."""
