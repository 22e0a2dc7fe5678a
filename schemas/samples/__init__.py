"""Sample files made from a specification alone: a sound one, and files that each break one rule of one item."""
