"""What a version must show before it may enter a stage: the gate file, evidence, verdicts."""
