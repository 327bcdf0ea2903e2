# Sourced by npm scripts at the root of the tree: puts the pinned Node first in PATH, for building too.
# npm 9 does not link it into node_modules/.bin, and Debian's own Node is older than `engines` asks for.
node_dir=$PWD/node_modules/node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
export PATH="$node_dir/bin:$PATH" npm_config_nodedir="$node_dir"
