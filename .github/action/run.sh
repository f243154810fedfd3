#!/usr/bin/env bash
# Runs one command of slowsched as the inputs say, and leaves what it said in $SLOWSCHED_FOLDER for tell.py.
set -euo pipefail

folder=$SLOWSCHED_FOLDER
words=("$INPUT_COMMAND")
[ -z "$INPUT_ENVIRONMENT" ] || words+=(--env "$INPUT_ENVIRONMENT")

case $INPUT_COMMAND in
  validate) words+=(--format json) ;;
  drift) words+=(--format markdown) ;;
  plan)
    words+=(--format json --out "$folder/plan.md" --out "$folder/plan.json")
    base=$INPUT_BASE
    [ -n "$base" ] || base=${GITHUB_BASE_REF:+origin/$GITHUB_BASE_REF}
    [ -z "$base" ] || [ "$base" = none ] || words+=(--base "$base")
    [ "$INPUT_OFFLINE" != true ] || words+=(--offline)
    ;;
  apply)
    words+=(--format json --yes --lock-timeout "$INPUT_LOCK_TIMEOUT")
    [ -z "$INPUT_EXPECT" ] || words+=(--expect "$INPUT_EXPECT")
    ;;
  *)
    echo "::error::the input \`command\` must be validate, plan, apply or drift"
    exit 1
    ;;
esac
while IFS= read -r word; do
  [ -z "$word" ] || words+=("$word")
done <<<"$INPUT_ARGUMENTS"

cd -- "$INPUT_WORKING_DIRECTORY"

# What a file of the repository says must not be read as a command to the runner. It goes to stderr, and so do the marks
# around it: the runner keeps no order between the two streams. They end with the step at the latest.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token" >&2

# A cancelled step signals its first process only, and that must be the tool: it ends between two writes and arms.
[ "$INPUT_COMMAND" != apply ] || exec "$SLOWSCHED_HOME/bin/slowsched" "${words[@]}" >"$folder/report"

status=0
"$SLOWSCHED_HOME/bin/slowsched" "${words[@]}" >"$folder/report" 2>"$folder/errors.txt" || status=$?
echo "$status" >"$folder/status"
cat "$folder/errors.txt" >&2
echo "::$token::" >&2

# Drift is told by its issue; the run fails where there can be none (tell.py).
[ "$INPUT_COMMAND" != drift ] || [ "$status" != 2 ] || status=0
exit "$status"
