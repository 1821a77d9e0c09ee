-- Handles begin as those of other Vaults do, by which clients may know them; older ones stay what they are.
ALTER TABLE platform.field_file ALTER COLUMN handle SET DEFAULT 'ATF-' || gen_random_uuid();
