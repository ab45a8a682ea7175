"""Pictures that litlab draws of images, of what networks say of them, and of confusion matrices."""
