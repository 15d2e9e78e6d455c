"""Model cards: what a version is for, how good and how fair it is; in SageMaker and as a page."""
