"""Phase history, image formation, image quality."""
