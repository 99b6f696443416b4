"""What a play takes of this machine: processes, ports, folders in memory, containers; and nothing of it stays."""
