"""What happens to a requirement: pure steps from record to record, each with the messages that tell of it.

A step never sends anything. It returns the new record with the messages in its outbox; both are stored in one write,
and only then sent. So a kill at any point loses nothing: who reads the record next sends what is left. [O21]
"""
