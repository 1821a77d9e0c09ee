"""Runs integrations: requests runs, stores the reports of connectors, and advances Last Successful Run Time."""
