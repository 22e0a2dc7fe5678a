"""The assets, a module for each capability: wiring only. What a step does and decides is in the capability."""
