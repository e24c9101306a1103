"""Documentation site: what is added to MkDocs, and pages made of the committed results."""
