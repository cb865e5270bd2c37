"""HTML pages that people open: case report, patient report, index of a folder, interactive viewer."""
