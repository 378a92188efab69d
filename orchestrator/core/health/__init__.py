"""Health from incidents, and the second signal that an alert needs. PURE."""
