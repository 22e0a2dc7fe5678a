"""The tables that are stored, or that capabilities read of each other: a module for each capability, and the registry."""
