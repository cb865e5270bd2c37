"""Parts that networks are built of, named as in the papers; they import no network."""
