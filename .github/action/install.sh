#!/usr/bin/env bash
# Installs slowsched into an environment of its own below $RUNNER_TEMP, once a job; gives `home` and a fresh `folder`.
set -euo pipefail

what=$GITHUB_ACTION_PATH
if [ -n "${INPUT_VERSION:-}" ]; then
  if ! [[ $INPUT_VERSION =~ ^[0-9][0-9A-Za-z.+!-]*$ ]]; then
    echo "::error::the input \`version\` is no release of slowsched; write it as 1.2.3"
    exit 1
  fi
  what=slowsched==$INPUT_VERSION
fi

# -I throughout: Python must not find modules in the repository that it works on.
home=$RUNNER_TEMP/slowsched-${INPUT_VERSION:-action}
if [ ! -x "$home/bin/slowsched" ]; then
  python3 -I -m venv "$home"
  "$home/bin/python" -I -m pip install --quiet --disable-pip-version-check \
    --constraint "$GITHUB_ACTION_PATH/constraints.txt" "$what"
fi

{
  echo "home=$home"
  echo "folder=$(mktemp -d "$RUNNER_TEMP/slowsched-XXXXXXXX")"
} >>"$GITHUB_OUTPUT"
