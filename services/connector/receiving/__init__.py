"""Receives messages by HTTPS from Vaults elsewhere: verifies them and puts them on an inbound queue."""
