"""The values that travel between the rooms, and the errors they raise. No room below this one."""
