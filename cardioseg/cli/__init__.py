"""The command line: words, colours and progress; one file per verb, no arithmetic, no torch at import."""
