"""A small Pub/Sub: topics, push and pull subscriptions, dead letters, gRPC and REST."""
