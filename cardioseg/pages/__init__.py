"""HTML pages: case report, patient report, index of a folder, interactive viewer."""
