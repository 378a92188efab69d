"""Detection as Cloud Monitoring does it: uptime checks, alert policies, time series."""
