-- What the orchestrator knows from the start: the three lessons of its seed.
--
-- Their numbers are stated. A sequence that is used in the transaction that makes it goes back to where it was when
-- Postgres crashes, if wal_level is minimal.

INSERT INTO agog_memory.memories (id, agent, layer, kind, source, pinned, tags, body)
OVERRIDING SYSTEM VALUE VALUES
    (1, 'orchestrator', 'core', 'pattern', 'seed:parallel-overload', true, '["parallel", "conflict"]',
     'Parallel overload. Five instances of one agent worked side by side on features that were taken for independent; all '
     'of them changed the same shared files, and every merge met a conflict. So compare the files first: where two '
     'requirements share more than 20 % of them, one waits for the other.'),
    (2, 'orchestrator', 'core', 'pattern', 'seed:forgotten-dependency', true, '["dependency", "order"]',
     'Forgotten dependency. A frontend was begun before the backend API that it calls was there; it was built against a '
     'mock, the real API turned out otherwise, and the work was done twice. So the backend comes first and the frontend '
     'after it, never both at once.'),
    (3, 'orchestrator', 'core', 'pattern', 'seed:budget-blowout', true, '["tokens", "budget", "retry"]',
     'Token budget blowout. Agents ran without a limit; one of them repeated a failing test all night and burnt half a '
     'million tokens. So every task has a token budget, and a circuit breaker ends retries.');
