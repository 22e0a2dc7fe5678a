"""What a deployment is told from outside: its settings file and the Union's calendar. Nothing is decided here."""
