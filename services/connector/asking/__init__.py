"""Questions that people put to the connector by HTTP: who may ask, and how they are answered."""
