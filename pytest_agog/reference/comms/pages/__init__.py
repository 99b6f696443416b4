"""The pages that people watch agents on: `/agents`, `/agents/{runId}`, `/agents/general`. [C8]"""
