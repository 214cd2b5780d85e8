# Everything that a change must pass, as continuous integration runs it.
ci:
    .ci/run

build:
    cargo build --release

test:
    cargo test --workspace

# Accept changed snapshots after looking at each.
bless:
    cargo insta review

# Licences and advisories of all dependencies; needs `cargo install cargo-deny`.
deny:
    cargo deny check

# Speed of the golden model and of Verilator; benches/README.md says how to read them.
bench:
    cargo bench -p spikeloom-golden
    cargo bench -p spikeloom-cosim
