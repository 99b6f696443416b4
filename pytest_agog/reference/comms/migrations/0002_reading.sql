-- How events and pages read: by run (`run_id`, else `workflow_uid`), and by workflow alone.

CREATE INDEX agent_messages_run_or_workflow
    ON workflow_comms.agent_messages ((coalesce(run_id, workflow_uid)), seq);
CREATE INDEX agent_messages_uid ON workflow_comms.agent_messages (workflow_uid, seq);
