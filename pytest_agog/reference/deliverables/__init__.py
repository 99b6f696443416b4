"""The deliverable engine: reports by URL instead of by value."""
