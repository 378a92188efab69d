"""What goes out beside the move: pages, events, mirrors, gauges."""
