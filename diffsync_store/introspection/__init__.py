"""What the declarations of model classes, fields and functions imply, computed once per class."""
