"""The look of figures: palette, labels, scales, panels."""
