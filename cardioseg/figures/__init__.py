"""Pictures: contact sheet, ponder strip, volume curve, bull's-eye, evaluation plots."""
