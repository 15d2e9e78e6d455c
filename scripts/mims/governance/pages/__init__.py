"""Pages for people: the look and the frame that the model card, drift reports and A/Bs share."""
