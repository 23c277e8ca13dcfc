"""The domain name system, by dnspython."""
