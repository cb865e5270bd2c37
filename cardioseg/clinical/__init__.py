"""From masks to the numbers a cardiologist reads."""
