"""Step configs and builders for SageMaker Pipelines, and a pipeline that runs."""
