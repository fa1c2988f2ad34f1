"""Tasks from the moment they are asked for until they have ended."""
