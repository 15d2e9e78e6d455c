"""What a version comes from and what came of it, in SageMaker lineage."""
