"""What makes a record valid: rules, schemas compiled from specifications, findings, reports. Knows no pipeline."""
