"""Messages that come by HTTPS from Vaults elsewhere: verified, and put on an inbound queue."""
