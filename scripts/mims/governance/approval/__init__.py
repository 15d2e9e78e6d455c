"""The promotion to Production as a Step Functions state machine."""
