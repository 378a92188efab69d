"""Private: the regions as calls see them: a boto3 client each, its connections, its breakers."""
