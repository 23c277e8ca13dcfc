"""What is left of deleted things in files."""
