"""DICOM studies in, DICOM-SEG objects out."""
