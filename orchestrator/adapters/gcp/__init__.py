"""Google Cloud behind the ports: Storage for the state, Compute for the traffic."""
