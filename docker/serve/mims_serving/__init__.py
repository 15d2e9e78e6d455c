"""A packaged model behind SageMaker's serving contract, in one process.

A package of its own name, as the model's code shares the process and may have a `model.py` too.
"""
