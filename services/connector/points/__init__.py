"""What an integration point does with the ids that a message names."""
