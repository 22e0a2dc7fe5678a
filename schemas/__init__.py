"""What makes a record right: rules, schemas compiled from specifications, findings, reports. Knows no pipeline."""
