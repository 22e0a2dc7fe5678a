"""The versions, one frozen file each: it spells out what it makes, imports nothing of the program, and has no way back."""
