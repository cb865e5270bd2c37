"""The command line: options, help texts, tables and progress. One file per verb."""
