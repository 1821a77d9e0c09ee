"""Delivers the messages of outbound queues to remote Vaults and to addresses of External connections."""
