"""Content of files by its checksum: the same bytes once, for as long as a row of the database refers to them."""
