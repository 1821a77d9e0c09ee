"""Object workflows: started with records, moved on by tasks, carried out in the transaction of the change."""
