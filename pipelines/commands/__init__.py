"""The commands of `renkei`, a module for each thing that they are about. They parse words and print; they decide nothing."""
