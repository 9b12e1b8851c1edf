"""Nodes that find, trust and outlive each other, over raw sockets."""
