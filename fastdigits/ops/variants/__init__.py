"""Faster methods that replace operations of the families where they apply; they define no operation of their own."""
