"""Agent comms: from messages on JetStream to rows and pages."""
