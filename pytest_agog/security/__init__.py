"""Certificates, credentials and the server configuration that goes with them, for development and tests. [C10]"""
