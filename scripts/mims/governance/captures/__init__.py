"""What an endpoint saw and answered: Data Capture and the labels that came later, as tables."""
