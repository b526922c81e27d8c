# The same verbs as `cargo xtask`.

# Install what building and testing need.
setup:
    cargo xtask setup

# Build, boot, verify, talk.
demo:
    cargo xtask demo

# Every test.
test:
    cargo xtask test

# Format, lints, documentation.
lint:
    cargo xtask lint
