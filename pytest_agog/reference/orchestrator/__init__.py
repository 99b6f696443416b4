"""The orchestrator: from a roadmap to accepted work. [O1] to [O21]"""
