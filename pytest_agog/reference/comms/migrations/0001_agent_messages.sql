-- Messages of agents, and messages that could not be stored (2-wire.md, "Agent comms").

CREATE SCHEMA IF NOT EXISTS workflow_comms;

CREATE TABLE workflow_comms.agent_messages (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seq                bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    workflow_uid       text,
    workflow_name      text,
    workflow_namespace text,
    run_id             text,
    step_id            text,
    agent_id           text,
    channel            text,
    stage              text,
    role               text,
    kind               text,
    content            text NOT NULL,
    "timestamp"        timestamptz NOT NULL,
    attrs              jsonb NOT NULL DEFAULT '{}',
    dedupe_key         text NOT NULL UNIQUE,
    stream_seq         bigint,
    created_at         timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN workflow_comms.agent_messages.seq IS 'The cursor: commit order is seq order.';
COMMENT ON COLUMN workflow_comms.agent_messages.dedupe_key IS
    'Hash of identity, channel, kind, message id and content; without an id, of the stream''s creation time and sequence.';

CREATE INDEX agent_messages_run ON workflow_comms.agent_messages (run_id, seq);
CREATE INDEX agent_messages_workflow ON workflow_comms.agent_messages (workflow_namespace, workflow_uid, seq);
CREATE INDEX agent_messages_channel ON workflow_comms.agent_messages (channel, seq);
CREATE INDEX agent_messages_agent ON workflow_comms.agent_messages (agent_id, seq);
CREATE INDEX agent_messages_created ON workflow_comms.agent_messages (created_at);

CREATE TABLE workflow_comms.rejected_messages (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream         text NOT NULL,
    stream_created timestamptz NOT NULL,
    stream_seq     bigint NOT NULL,
    subject        text NOT NULL,
    raw            bytea NOT NULL,
    reason         text NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (stream, stream_created, stream_seq)
);

CREATE INDEX rejected_messages_received ON workflow_comms.rejected_messages (received_at);
