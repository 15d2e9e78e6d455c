"""What happens to a version after it was registered: stages, gates, approval, cards, lineage."""
