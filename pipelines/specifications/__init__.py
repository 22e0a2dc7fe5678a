"""Specifications for people who write, compare or hand on layouts: differences, the book, and which one fits a file."""
