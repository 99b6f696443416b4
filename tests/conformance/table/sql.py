"""Runs the SQL statements that are its arguments on the scenario's database."""

import os
import sys

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    for statement in sys.argv[1:]:
        connection.execute(statement.encode())
