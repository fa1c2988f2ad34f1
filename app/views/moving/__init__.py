"""Moving to another workstation on the screen: exporting and importing the configuration, and taking over."""
