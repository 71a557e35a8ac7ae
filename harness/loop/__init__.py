"""One trial: seed -> task -> method -> loop -> metrics.  Knows no component by name."""
