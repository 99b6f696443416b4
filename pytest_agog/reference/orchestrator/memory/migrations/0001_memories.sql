-- What agents remember, in five layers ([O20]).

CREATE SCHEMA IF NOT EXISTS agog_memory;

CREATE TEXT SEARCH DICTIONARY agog_memory.plain_words (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION agog_memory.plain (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION agog_memory.plain ALTER MAPPING REPLACE pg_catalog.simple WITH agog_memory.plain_words;

COMMENT ON TEXT SEARCH CONFIGURATION agog_memory.plain IS
    'Words as they are written, whatever their language; English words that every text holds are left out.';

CREATE TABLE agog_memory.memories (
    id         bigint GENERATED ALWAYS AS IDENTITY (START WITH 101) PRIMARY KEY,
    agent      text NOT NULL,
    layer      text NOT NULL CHECK (layer IN ('core', 'long_term', 'medium_term', 'recent', 'compost')),
    kind       text NOT NULL,
    source     text NOT NULL,
    body       text NOT NULL,
    tags       jsonb NOT NULL DEFAULT '[]',
    data       jsonb NOT NULL DEFAULT '{}',
    pinned     boolean NOT NULL DEFAULT false,
    happened   timestamptz NOT NULL DEFAULT now(),
    moved      timestamptz,
    why        text,
    words      tsvector GENERATED ALWAYS AS (
        setweight(jsonb_to_tsvector('agog_memory.plain', tags, '["string"]'), 'A')
        || to_tsvector('pg_catalog.english', body)
        || to_tsvector('agog_memory.plain', translate(body, '/._-:#@\', '        '))
    ) STORED,
    UNIQUE (agent, kind, source)
);

COMMENT ON COLUMN agog_memory.memories.source IS 'What it was learned from; the same is never remembered twice.';
COMMENT ON COLUMN agog_memory.memories.data IS 'What it tells a program.';
COMMENT ON COLUMN agog_memory.memories.pinned IS 'It is never moved or dropped for its age.';
COMMENT ON COLUMN agog_memory.memories.moved IS 'When it came into its layer, if it was in another before.';
COMMENT ON COLUMN agog_memory.memories.why IS 'Why it is compost.';
COMMENT ON COLUMN agog_memory.memories.words IS
    'Tags, words by their stems, and words as they are written, with the parts of paths and ids each for itself.';

CREATE INDEX memories_words ON agog_memory.memories USING gin (words);
CREATE INDEX memories_layer ON agog_memory.memories (agent, layer, happened DESC, id DESC);
CREATE INDEX memories_kind ON agog_memory.memories (agent, kind, happened DESC, id DESC);
