"""Records User Exception Messages of the Vault itself, and carries out the administrators' actions on them."""
