"""What `Contract.validate_implementation` does: a script's source is read, never run."""
