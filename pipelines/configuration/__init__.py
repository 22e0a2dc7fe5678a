"""External configuration of a deployment: its settings file and the Union's calendar. Nothing is decided here."""
