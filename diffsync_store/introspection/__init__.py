"""Facts that follow from the declarations of model classes, fields and functions, computed once per class."""
