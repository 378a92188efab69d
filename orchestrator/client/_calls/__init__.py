"""Private: one call, from a method of boto3's to the region that answers it."""
