"""The monthly continuity, through files, worksheets and forms."""
