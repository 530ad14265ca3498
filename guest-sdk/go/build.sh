#!/bin/sh
# Builds the plugin of a package in Go, with Go and weir alone:
#
#     build.sh ./count dist/count.wasm
set -eu
package=$1 plugin=$2
mkdir -p "$(dirname "$plugin")"
module=${plugin%.wasm}.core.wasm
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -o "$module" "$package"
weir plugin pack "$module" -o "$plugin"
