"""Records User Exception Messages of the Vault itself, and carries out administrators' actions on them."""
