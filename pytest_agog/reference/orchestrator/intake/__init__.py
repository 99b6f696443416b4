"""Intake: roadmap files, issues, requests of agents and submissions become structured requirements. [O1]"""
