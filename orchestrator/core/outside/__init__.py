"""Values from outside, bounded, read strictly and shown safely: text, ids, hosts, JSON. PURE."""
