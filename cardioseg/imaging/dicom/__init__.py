"""Reading DICOM studies and writing DICOM-SEG objects."""
