"""What fields look like: tables of any size, summed up field by field."""
