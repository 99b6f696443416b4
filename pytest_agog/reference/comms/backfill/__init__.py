"""Backfill: the messages of a run that never arrived, out of the files that its agent left behind. [C9]"""
