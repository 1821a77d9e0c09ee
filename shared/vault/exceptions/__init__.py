"""Records User Exception Messages of the Vault itself, and carries out what administrators decide about them."""
