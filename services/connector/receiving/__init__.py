"""Takes messages that come by HTTPS from Vaults elsewhere: verifies them and puts them on an inbound queue."""
