#!/bin/sh
# The main job, from a task file to its recorded outcome, on the embedded backend: `make demo`.
#
# It works in a copy of this repository's own example, in a temporary folder that it removes again.
set -eu

project=$(cd "$(dirname "$0")/.." && pwd)
command -v slowsched >/dev/null || {
  echo "demo: slowsched is not on the PATH: run 'make demo'" >&2
  exit 1
}

shop=$(mktemp -d "${TMPDIR:-/tmp}/slowsched-demo.XXXXXX")
trap 'rm -rf "$shop"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The same words everywhere, whatever is set on this machine and wherever its temporary folder lies.
unset SLOWSCHED_ENV SLOWSCHED_CATALOGUE SLOWSCHED_CATALOGUE_TABLE GITHUB_SHA
GIT_CEILING_DIRECTORIES=$(dirname "$shop")
export GIT_CEILING_DIRECTORIES

mkdir "$shop/tasks" "$shop/worker"
cp "$project/slowsched.yaml" "$shop"
cp "$project/tasks/free-momo.yaml" "$shop/tasks"
cp -R "$project/schemas" "$shop"
cp "$project/worker/actions.py" "$project/worker/catalogue.py" "$shop/worker"
cd "$shop"

say() {
  printf '\n# %s\n' "$1"
}

run() {
  printf '$ %s\n' "$1"
  eval "$1"
}

say 'A date that is known long before is a file, which is reviewed.'
run 'cat tasks/free-momo.yaml'
run 'slowsched validate'

say 'What would change?'
run 'slowsched plan'

say 'After the merge: do it. A row is written, and one timer is armed.'
run 'slowsched apply --yes'

say 'Done is done: there is nothing to do twice.'
run 'slowsched plan'

say 'Play the moment at which it is due.'
run 'slowsched worker --fakenow 2066-01-01T00:00:00Z'

say 'What came of it?'
run "slowsched show 'free Momo'"
run 'cat .slowsched/catalogue.json'

say 'And it never runs again.'
run 'slowsched plan'

say 'The folder of this demo is removed again. Try one of your own next:'
printf '#   mkdir dates && cd dates && %s init\n' "$(command -v slowsched)"
