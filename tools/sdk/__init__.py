"""What the SDK's sources are made by."""
