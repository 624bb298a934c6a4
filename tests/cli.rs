//! The command line as it is typed: help, errors, exit codes.
//!
//! `TRYCMD=overwrite cargo test --test cli` writes what is said now; look at it before you commit.

#[test]
fn what_is_typed_is_answered() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        // Nothing of the person who runs the tests may show.
        .env("LANG", "C.UTF-8")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .env("COLUMNS", "100")
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", "/nonexistent");
}
