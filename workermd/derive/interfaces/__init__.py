"""What the code of a repository really offers, as schemas with evidence: one module for each kind."""
