"""What an auditor asks: whether all is whole (`verification`), and who did what (`report`)."""
