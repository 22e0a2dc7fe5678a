"""The commands of `renkei`, a module per subject. They parse arguments and print; they decide nothing."""
