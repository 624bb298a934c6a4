//! What must be neither shown nor recorded.

/// Words in the names of such values.
const TELLING: [&str; 7] = ["auth", "cookie", "token", "secret", "password", "key", "credential"];

/// Whether a header, parameter or variable may carry a secret: one that does is called after it.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}
