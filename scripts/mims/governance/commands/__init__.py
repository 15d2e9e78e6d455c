"""The commands of the registry's command line, section by section of its help."""
