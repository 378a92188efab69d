"""The load balancer of the laptop world: a small Compute Engine API, and Envoy that serves."""
