"""A DynamoDB for each region, and the copying between them."""
