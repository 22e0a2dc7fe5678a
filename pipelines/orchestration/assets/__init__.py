"""The assets, a module for each capability: wiring only. The work and the decisions are in the capabilities."""
