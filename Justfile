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

# Measure, beside a peer with `just bench --peer llama.cpp`.
bench *ARGS:
    cargo xtask bench {{ARGS}}

# Fuzz every parser on a trust boundary.
fuzz *ARGS:
    cargo xtask fuzz {{ARGS}}
